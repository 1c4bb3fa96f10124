#!/usr/bin/env bash
# lz4_flex 0.14.0: a frame without content size that ends between two blocks, its end mark missing, reads without an error as if
# it were whole, though it has a content checksum; and of two frames in a row only the first is read, what follows being left
# without a word. The format's own tool reports the first and reads both frames of the second.
# Who keeps files in this format needs a length or a count of its own, and a look at what is left behind the end.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
lz4_flex = "=0.14.0"
TOML
cat >src/main.rs <<'RUST'
use std::io::{Read, Write};

use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

fn main() {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).content_checksum(true);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    // Two blocks of 64 KiB of numbers, which do not compress to nothing.
    let content: Vec<u8> = (0..32_768u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    encoder.write_all(&content).unwrap();
    let whole = encoder.finish().unwrap();

    // The first block's length stands behind the frame's header of 7 bytes; its highest bit says "not compressed".
    let length = u32::from_le_bytes(whole[7..11].try_into().unwrap()) & 0x7fff_ffff;
    let cut = &whole[..11 + length as usize];
    let mut read = Vec::new();
    let result = FrameDecoder::new(cut).read_to_end(&mut read);
    println!("cut: {result:?} of {}", content.len());

    let two = [&whole[..], &whole[..]].concat();
    let mut decoder = FrameDecoder::new(&two[..]);
    let mut read = Vec::new();
    let result = decoder.read_to_end(&mut read);
    println!("two: {result:?}, the second left: {}", decoder.get_ref().len() == whole.len());
}
RUST
cargo run -q >seen 2>&1
cat seen
diff seen - <<'SEEN'
cut: Ok(65536) of 131072
two: Ok(131072), the second left: true
SEEN
echo "as found: a cut frame reads as whole, and a second frame is not looked at"
