//! The fixed layout against MessagePack, for the event that is written most. See `docs/format.md`.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use super::figures::{Figures, Target};
use super::stage::MILLION;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, ReservationId};
use crate::event::{self, Event, EventLine, Fact};

pub(super) fn compare(_: &Path, figures: &mut Figures) -> Result<()> {
    for (line_count, what) in [(1, "1 line"), (3, "3 lines and an owner")] {
        let reserved = reserved(line_count);
        let fixed = |event: &Event<'_>, buffer: &mut Vec<u8>| event::encode(event, buffer);
        let rmp = |event: &Event<'_>, buffer: &mut Vec<u8>| {
            rmp_serde::encode::write(buffer, event)
                .expect("an event has nothing that rmp cannot write");
        };
        let read_fixed =
            |bytes: &[u8]| event::decode(event::kind_of(&reserved), bytes).map(|event| event.at);
        let read_rmp = |bytes: &[u8]| {
            let event: Event<'_> = rmp_serde::from_slice(bytes).map_err(|error| {
                Error::corrupt("what was written does not read back").with_source(error)
            })?;
            Ok(event.at)
        };
        measure(
            &format!("fixed layout, Reserved with {what}"),
            &reserved,
            fixed,
            read_fixed,
            figures,
        )?;
        measure(&format!("rmp-serde, Reserved with {what}"), &reserved, rmp, read_rmp, figures)?;
    }
    Ok(())
}

fn reserved(line_count: u32) -> Event<'static> {
    let line = |account| EventLine { account, quantity: 1, consumed: 0, available: 999_999 };
    let fact = Fact::Reserved {
        reservation: ReservationId::from_number(64_000_001),
        owner: (line_count > 1).then(|| AccountId::from_number(70_000)),
        expires_at: 1_800_000_900_000,
        confirmed: false,
        lines: (0..line_count).map(|index| line(70_000 + index)).collect(),
        details: Default::default(),
    };
    Event { at: 1_800_000_000_000, request: None, fact }
}

fn measure(
    what: &str,
    event: &Event<'_>,
    encode: impl Fn(&Event<'_>, &mut Vec<u8>),
    decode: impl Fn(&[u8]) -> Result<u64>,
    figures: &mut Figures,
) -> Result<()> {
    let mut bytes = Vec::with_capacity(4096);
    let start = Instant::now();
    for _ in 0..MILLION {
        bytes.clear();
        encode(black_box(event), &mut bytes);
        black_box(&bytes);
    }
    let encoding = start.elapsed();
    let start = Instant::now();
    for _ in 0..MILLION {
        black_box(decode(black_box(&bytes))?);
    }
    let decoding = start.elapsed();
    let each = |time: std::time::Duration| time.as_nanos() as f64 / MILLION as f64;
    figures.figure(&format!("{what}: size"), bytes.len() as f64, "B", Target::None);
    figures.figure(&format!("{what}: encode"), each(encoding), "ns", Target::None);
    figures.figure(&format!("{what}: decode"), each(decoding), "ns", Target::None);
    Ok(())
}
