#!/usr/bin/env bash
# rmp-serde 1.3.1 with serde 1.0.229: a MessagePack map whose keys are integers fills a struct by the places of its fields,
# although the struct has `deny_unknown_fields` and the map names no field at all. {0: "tea", 1: 7} is read as
# {"product": "tea", "quantity": 7}. serde_json refuses the same map with names "0" and "1". A binary value is read as a text, too.
# Who takes MessagePack from outside has to check names by itself.
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
rmp-serde = "=1.3.1"
serde = { version = "=1.0.229", features = ["derive"] }
serde_json = "=1.0.154"
TOML
cat >src/main.rs <<'RUST'
#[allow(dead_code)]
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    product: String,
    quantity: u64,
}

fn main() {
    let by_place = b"\x82\x00\xa3tea\x01\x07";
    println!("{:?}", rmp_serde::from_slice::<Order>(by_place));
    let binary = b"\x82\xa7product\xc4\x03tea\xa8quantity\x07";
    println!("{:?}", rmp_serde::from_slice::<Order>(binary));
    println!("{}", serde_json::from_str::<Order>(r#"{"0":"tea","1":7}"#).is_err());
}
RUST
cargo run -q >seen 2>&1
cat seen
diff seen - <<'SEEN'
Ok(Order { product: "tea", quantity: 7 })
Ok(Order { product: "tea", quantity: 7 })
true
SEEN
echo "as found: integer keys name fields by their places"
