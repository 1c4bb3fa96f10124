//! Messages with descriptors over a Unix socket: each is its length in four bytes, the most significant
//! first, and JSON.

use std::io::{IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::message::Message;
use crate::base::error::{Error, Result};

/// The longest message, in bytes.
const BYTES_MAX: usize = 64 << 10;
/// How many descriptors come with a message at most.
const DESCRIPTORS_MAX: usize = 32;
/// How long to try to say something to one that does not listen.
const SAY_LIMIT: Duration = Duration::from_secs(5);

/// One end of the talk.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: UnixStream,
    read: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    /// The other one is gone.
    End,
    /// Nothing, in the time that it may take.
    Nothing,
}

impl Channel {
    /// # Errors
    /// `Unavailable` when the socket takes no limit, `Invalid` when another user is at its other end.
    pub(crate) fn new(stream: UnixStream) -> Result<Self> {
        check_peer(&stream)?;
        let blocking = stream.set_nonblocking(false);
        blocking.and_then(|()| stream.set_write_timeout(Some(SAY_LIMIT))).map_err(failed)?;
        Ok(Self { stream, read: Vec::new(), descriptors: Vec::new() })
    }

    /// Says something.
    ///
    /// # Errors
    /// `Unavailable` when the other one does not hear it.
    pub(crate) fn say(&self, message: &Message) -> Result<()> {
        self.say_with(message, &[])
    }

    /// Says something, and gives descriptors with it.
    ///
    /// # Errors
    /// As [`Channel::say`]; `Invalid` when there are too many.
    pub(crate) fn say_with(&self, message: &Message, given: &[BorrowedFd<'_>]) -> Result<()> {
        let body = serde_json::to_vec(message).map_err(|cause| {
            Error::unavailable("a message cannot be written").with_source(cause)
        })?;
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let bytes = [&length.to_be_bytes()[..], &body].concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !given.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(given)) {
            return Err(Error::invalid(format!(
                "a server that listens at more than {DESCRIPTORS_MAX} places cannot be taken over"
            )));
        }
        let flags = SendFlags::NOSIGNAL;
        let sent = sendmsg(&self.stream, &[IoSlice::new(&bytes)], &mut ancillary, flags)
            .map_err(|errno| failed(errno.into()))?;
        (&self.stream).write_all(&bytes[sent..]).map_err(failed)
    }

    /// What comes next, within `limit`.
    ///
    /// # Errors
    /// `Unavailable` when the socket fails, `Invalid` when what comes is no message.
    pub(crate) fn hear(&mut self, limit: Duration) -> Result<Received> {
        self.stream.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).map_err(failed)?;
        loop {
            if let Some(message) = self.next_message()? {
                return Ok(Received::Message(message));
            }
            match self.receive() {
                Ok(0) => return Ok(Received::End),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(Received::Nothing),
                Err(rustix::io::Errno::CONNRESET) => return Ok(Received::End),
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }

    /// The descriptors that came until now.
    pub(crate) fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.descriptors)
    }

    /// Another end that only says things.
    ///
    /// # Errors
    /// `Unavailable` when there are no descriptors.
    pub(crate) fn share(&self) -> Result<Self> {
        let stream = self.stream.try_clone().map_err(failed)?;
        Ok(Self { stream, read: Vec::new(), descriptors: Vec::new() })
    }

    fn next_message(&mut self) -> Result<Option<Message>> {
        let Some(length) = self.read.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > BYTES_MAX {
            return Err(Error::invalid("the other server says more than a message may be"));
        }
        let Some(body) = self.read.get(4..4 + length) else { return Ok(None) };
        let message = serde_json::from_slice(body).map_err(|cause| {
            Error::invalid("the other server says what this one does not understand")
                .with_source(cause)
        })?;
        self.read.drain(..4 + length);
        Ok(Some(message))
    }

    fn receive(&mut self) -> rustix::io::Result<usize> {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let iov = &mut [IoSliceMut::new(&mut bytes)];
        let got = recvmsg(&self.stream, iov, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        if got.flags.contains(ReturnFlags::CTRUNC) {
            // This process may have no more of them.
            return Err(rustix::io::Errno::MFILE);
        }
        self.read.extend_from_slice(&bytes[..got.bytes]);
        Ok(got.bytes)
    }
}

fn failed(cause: std::io::Error) -> Error {
    Error::io("talking to the other server", cause)
}

/// Whoever can open the socket is the same user or root; that is looked at all the same.
#[cfg(target_os = "linux")]
fn check_peer(stream: &UnixStream) -> Result<()> {
    let peer = rustix::net::sockopt::socket_peercred(stream.as_fd());
    let peer = peer.map_err(|errno| failed(errno.into()))?;
    if peer.uid == rustix::process::geteuid() {
        return Ok(());
    }
    Err(Error::invalid(format!("the other server is of another user, {}", peer.uid.as_raw())))
}

#[cfg(not(target_os = "linux"))]
fn check_peer(_: &UnixStream) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn descriptors_come_with_their_message_and_an_end_is_told_from_silence() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let (here, mut there) = (Channel::new(here), Channel::new(there));
        let (here, there) = (here.expect("the same user"), there.as_mut().expect("the same user"));
        let silence = there.hear(Duration::from_millis(1)).expect("it reads");
        assert!(matches!(silence, Received::Nothing), "{silence:?}");
        let (mut reads, writes) = std::io::pipe().expect("a pipe");
        let refused = Message::Refused { why: "x".repeat(9_000) };
        here.say_with(&refused, &[writes.as_fd()]).expect("it is heard");
        drop(writes);
        here.say(&Message::Switch).expect("it is heard");
        for expected in [refused, Message::Switch] {
            let heard = there.hear(Duration::from_secs(60)).expect("it reads");
            let Received::Message(message) = heard else { panic!("expected a message: {heard:?}") };
            assert_eq!(message, expected);
        }
        let [given] = <[OwnedFd; 1]>::try_from(there.take_descriptors()).expect("one came");
        std::io::PipeWriter::from(given).write_all(b"here").expect("it writes");
        let mut text = String::new();
        reads.read_to_string(&mut text).expect("it reads");
        assert_eq!(text, "here");
        drop(here);
        let end = there.hear(Duration::from_secs(60)).expect("it reads");
        assert!(matches!(end, Received::End), "{end:?}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for wrong in [&[0xff; 8][..], b"\0\0\0\x02{}", b"\0\0\0\x01["] {
            let (mut here, there) = UnixStream::pair().expect("a pair");
            here.write_all(wrong).expect("it writes");
            let mut there = Channel::new(there).expect("the same user");
            let refused = there.hear(Duration::from_secs(60)).expect_err("it is no message");
            assert_eq!(refused.kind(), crate::base::error::ErrorKind::Invalid, "{wrong:?}");
        }
    }
}
