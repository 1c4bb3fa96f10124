//! The archive: sealed segments that no reader needs any more, compressed, as many as fit a bound.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::frame::{self, FRAME_HEADER_BYTES, Frame};
use super::segment::{HEADER_BYTES, Header};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::vfs::{Vfs, VfsFile};

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Archived {
    pub first_seq: Seq,
    pub last_seq: Seq,
    pub bytes: u64,
}

impl Archived {
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(archive_name(self.first_seq, self.last_seq))
    }
}

fn archive_name(first_seq: Seq, last_seq: Seq) -> String {
    format!("{first_seq:020}-{last_seq:020}.lz4")
}

fn parse_archive_name(name: &str) -> Option<(Seq, Seq)> {
    let (first, last) = name.strip_suffix(".lz4")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (archive_name(first, last) == name).then_some((first, last))
}

/// Removes what a crash left half written.
///
/// # Errors
/// `Unavailable` when the file system fails.
pub(super) fn remove_unfinished(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    let remove = || {
        for name in vfs.list(dir)?.iter().filter(|name| name.ends_with(".tmp")) {
            vfs.remove(&dir.join(name))?;
        }
        Ok(())
    };
    remove().map_err(|error| looking(dir, error))
}

/// The files of the archive, oldest first; none when there is no such directory. Changes nothing,
/// and leaves out what is removed meanwhile.
///
/// # Errors
/// `Unavailable` when the file system fails.
pub(super) fn list(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<Archived>> {
    let names = match vfs.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(|error| looking(dir, error))?,
    };
    let mut found = Vec::new();
    for (name, (first_seq, last_seq)) in
        names.iter().filter_map(|name| Some((name, parse_archive_name(name)?)))
    {
        match vfs.open_read(&dir.join(name)).and_then(|file| file.len()) {
            Ok(bytes) => found.push(Archived { first_seq, last_seq, bytes }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(looking(dir, error)),
        }
    }
    Ok(found)
}

fn looking(dir: &Path, error: io::Error) -> Error {
    Error::io(format_args!("looking into {}", dir.display()), error)
}

/// The oldest record from which everything up to `live`, the oldest one in a segment, can be read.
pub(super) fn oldest_seq<'a>(
    archived: impl DoubleEndedIterator<Item = &'a Archived>,
    live: Seq,
) -> Seq {
    archived.rev().fold(live, |oldest, file| match file.last_seq + 1 >= oldest {
        true => oldest.min(file.first_seq),
        false => oldest,
    })
}

/// Writes the header and frames of a segment, already verified, to the archive. Durable on return.
///
/// # Errors
/// `Unavailable` when the file system fails.
pub(super) fn write(
    vfs: &dyn Vfs,
    dir: &Path,
    segment: &[u8],
    first_seq: Seq,
    last_seq: Seq,
) -> Result<Archived> {
    let mut archived = Archived { first_seq, last_seq, bytes: 0 };
    let path = archived.path(dir);
    let unfinished = path.with_extension("tmp");
    let mut write = || {
        let file = vfs.create(&unfinished)?;
        let mut encoder =
            FrameEncoder::with_frame_info(frame_info(), Appending { file: &*file, offset: 0 });
        encoder.write_all(segment)?;
        archived.bytes = encoder.finish().map_err(io::Error::other)?.offset;
        file.sync()?;
        vfs.rename(&unfinished, &path)?;
        vfs.sync_dir(dir)
    };
    write().map_err(|error| Error::io(format_args!("writing {}", path.display()), error))?;
    Ok(archived)
}

/// How a segment is compressed.
pub(super) fn frame_info() -> FrameInfo {
    FrameInfo::new().block_size(BlockSize::Max256KB).content_checksum(true)
}

struct Appending<'a> {
    file: &'a dyn VfsFile,
    offset: u64,
}

impl Write for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Consuming {
    file: Box<dyn VfsFile>,
    offset: u64,
}

impl Read for Consuming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Reads one file of the archive from its start.
pub(super) struct ArchiveReader {
    path: PathBuf,
    decoder: FrameDecoder<Consuming>,
    pub header: Header,
    /// Where the next frame starts in the segment, for messages and as a bound.
    offset: usize,
    segment_bytes: usize,
    next_seq: Seq,
    pub last_seq: Seq,
    buffer: Vec<u8>,
}

impl ArchiveReader {
    /// # Errors
    /// `NotFound` when the file was deleted meanwhile, `Corrupt` when it is damaged, `Unavailable`
    /// when it cannot be read.
    pub(super) fn open(vfs: &dyn Vfs, dir: &Path, archived: &Archived) -> Result<Self> {
        let path = archived.path(dir);
        let file = vfs.open_read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Error::not_found(format!("{} is no longer in the archive", path.display()))
            }
            _ => Error::io(format_args!("opening {}", path.display()), error),
        })?;
        let mut decoder = FrameDecoder::new(Consuming { file, offset: 0 });
        let mut block = vec![0; HEADER_BYTES];
        let failed = |why: &dyn std::fmt::Display| damaged(&path, 0, archived.first_seq, why);
        decoder
            .read_exact(&mut block)
            .map_err(|error| unread(&path, 0, archived.first_seq, error))?;
        let header = Header::decode(&block).map_err(|what| failed(&what))?;
        if header.first_seq != archived.first_seq {
            return Err(failed(&"the file's name and its header disagree"));
        }
        Ok(Self {
            path,
            decoder,
            header,
            offset: HEADER_BYTES,
            segment_bytes: usize::try_from(header.segment_bytes).unwrap_or(usize::MAX),
            next_seq: header.first_seq,
            last_seq: archived.last_seq,
            buffer: Vec::new(),
        })
    }

    /// The number of the next frame; past `last_seq` there is none.
    pub(super) fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// The next frame, verified.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged, `Unavailable` when it cannot be read.
    pub(super) fn next_frame(&mut self) -> Result<Frame<'_>> {
        let seq = self.next_seq;
        let failed = |error: &dyn std::fmt::Display| damaged(&self.path, self.offset, seq, error);
        let unread = |error| unread(&self.path, self.offset, seq, error);
        self.buffer.resize(FRAME_HEADER_BYTES, 0);
        self.decoder.read_exact(&mut self.buffer).map_err(unread)?;
        // The bound keeps a damaged length from asking for gigabytes.
        let len =
            frame::next_len(&self.buffer).filter(|&len| self.offset + len <= self.segment_bytes);
        self.buffer.resize(len.ok_or_else(|| failed(&"its length is impossible"))?, 0);
        self.decoder.read_exact(&mut self.buffer[FRAME_HEADER_BYTES..]).map_err(unread)?;
        let frame = frame::verify(&self.buffer, self.header.seed())
            .filter(|frame| frame.seq == seq)
            .ok_or_else(|| failed(&"its checksum does not hold"))?;
        self.offset += frame.bytes;
        self.next_seq += 1;
        Ok(frame)
    }
}

/// Why a file cannot be unpacked: its content is damaged, or the disk does not give it now.
fn unread(path: &Path, offset: usize, seq: Seq, error: io::Error) -> Error {
    let is_content = match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => true,
        _ => error.get_ref().is_some_and(|inner| inner.is::<lz4_flex::frame::Error>()),
    };
    match is_content {
        true => damaged(path, offset, seq, &error),
        false => Error::io(format_args!("reading {}", path.display()), error),
    }
}

fn damaged(path: &Path, offset: usize, seq: Seq, why: &dyn std::fmt::Display) -> Error {
    Error::corrupt(format!(
        "{} at offset {offset} of its unpacked bytes: record {seq} is damaged ({why}). No stock depends on the archive, \
         only history does: put the file back from a copy, or go on without it; history then begins after it",
        path.display()
    ))
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use super::*;
    use crate::base::error::ErrorKind;
    use crate::base::golden;
    use crate::vfs::crash::{CrashVfs, Fault};

    /// An archive file of one segment with one record, which the reference implementation of LZ4
    /// compressed. Which bytes a compression finds is not promised; that all of them are read is.
    const GOLDEN: &str = "04224d186440a750000000a253544b484a524e4c010001001203070023000708001404110023001012000f0200ffffffffffffffffffffffffffffffc6c49a951dcf1d000000f8d7d196f00f00020000ea0f8073746f636b000000000000008967be0b";

    fn segment() -> (Header, Vec<u8>) {
        let header = Header { index: 3, first_seq: 7, salt: 0x0304, segment_bytes: 1 << 20 };
        let (mut bytes, mut record) = (header.encode(), Vec::new());
        frame::append(&mut record, 7, 16, |out| out.extend_from_slice(b"stock"));
        frame::seal(&mut record, header.seed(), 0);
        bytes.extend_from_slice(&record);
        (header, bytes)
    }

    #[test]
    fn an_archive_file_is_read_as_ever() {
        let (vfs, dir) = (CrashVfs::new(0), Path::new("/archive"));
        vfs.create_dir(dir).expect("the disk takes it");
        let archived = Archived { first_seq: 7, last_seq: 7, bytes: 0 };
        assert!(archived.path(dir).ends_with(archive_name(7, 7)));
        let file = vfs.create(&archived.path(dir)).expect("the disk takes it");
        file.write_at(&golden::bytes(GOLDEN), 0).expect("the disk takes it");
        let mut reader = ArchiveReader::open(&vfs, dir, &archived).expect("golden bytes are read");
        assert_eq!(reader.header, segment().0);
        let read = reader.next_frame().expect("golden bytes are read");
        assert_eq!((read.seq, read.kind, read.payload), (7, 16, &b"stock"[..]));
    }

    #[test]
    fn an_archive_file_is_written_as_an_lz4_frame() {
        let (vfs, dir) = (CrashVfs::new(0), Path::new("/archive"));
        vfs.create_dir(dir).expect("the disk takes it");
        let archived = write(&vfs, dir, &segment().1, 7, 7).expect("the disk takes it");
        let file = vfs.open_read(&archived.path(dir)).expect("it was written");
        let mut start = vec![0; 7];
        file.read_at(&mut start, 0).expect("the disk answers");
        // Magic, version 1 with independent blocks and a checksum of the content, blocks of 256 KiB.
        golden::check("an LZ4 frame", &start, "04224d18645008");
        let mut reader = ArchiveReader::open(&vfs, dir, &archived).expect("it is read");
        assert_eq!(reader.next_frame().expect("it is read").payload, b"stock");
    }

    /// History begins anew behind a file that is damaged, so a disk that fails once must not be
    /// taken for that.
    #[test]
    fn a_file_that_cannot_be_read_now_is_not_damaged() {
        let (vfs, dir) = (CrashVfs::new(0), Path::new("/archive"));
        vfs.create_dir(dir).expect("the disk takes it");
        let archived = write(&vfs, dir, &segment().1, 7, 7).expect("the disk takes it");
        let read = || {
            ArchiveReader::open(&vfs, dir, &archived)
                .and_then(|mut reader| reader.next_frame().map(|frame| frame.seq))
                .map_err(|error| error.kind())
        };
        let before = vfs.operations();
        assert_eq!(read(), Ok(7));
        for operation in 0..vfs.operations() - before {
            vfs.fault_at(vfs.operations() + operation, Fault::Fail);
            assert_eq!(read(), Err(ErrorKind::Unavailable), "at operation {operation}");
            assert_eq!(read(), Ok(7), "after operation {operation}");
        }
        let path = archived.path(dir);
        let bytes = vfs.bytes(&path).expect("it is there").len();
        for bit in 0..bytes * 8 {
            vfs.flip(&path, bit);
            let kind = read();
            assert!(matches!(kind, Err(ErrorKind::Corrupt) | Ok(7)), "bit {bit}: {kind:?}");
            vfs.flip(&path, bit);
        }
    }
}
