//! The lines of a batch, as JSON lines and as a table.

use serde_json::{Map, Value};

use crate::base::error::Result;
use crate::cli::catalogue::Format;
use crate::cli::catalogue::lines::json_lines;
use crate::http::sheet::{Cell, Columns, Lines, rows};
use crate::mall::fields::read_points;
use crate::mall::{PointsEntry, Violation};

const COLUMNS: Columns = &[
    ("kind", Cell::Text),
    ("userId", Cell::Text),
    ("points", Cell::Json),
    ("source", Cell::Text),
    ("reason", Cell::Text),
    ("orderId", Cell::Text),
    ("expiresAt", Cell::Json),
];

/// # Errors
/// When the head of a table names a column that is none.
pub(super) fn read(file: &[u8], format: Format) -> Result<Lines<PointsEntry>> {
    match format {
        Format::Jsonl => json_lines(file, entry),
        Format::Csv => rows(file, COLUMNS, entry),
    }
}

fn entry(members: Map<String, Value>) -> std::result::Result<PointsEntry, Violation> {
    read_points("$", members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::model::{Moving, PointsSource};

    #[test]
    fn a_line_is_a_change_or_is_told_with_its_number() {
        let json = "{\"userId\":\"ann\",\"points\":5,\"source\":\"invite_reward\",\"expiresAt\":7}\n\
            {\"kind\":\"deduct\",\"userId\":\"bob\",\"points\":7.0,\"reason\":\"误发\",\"orderId\":\"o-1\"}\n\
            {\"userId\":\"a b\",\"points\":5}\n{\"userId\":\"ann\",\"points\":0}\n\
            {\"kind\":\"give\",\"userId\":\"ann\",\"points\":1}\n\
            {\"kind\":\"deduct\",\"userId\":\"ann\",\"points\":1}\n\
            {\"userId\":\"ann\",\"points\":1,\"source\":\"mall_refund\"}\n\
            {\"kind\":\"deduct\",\"userId\":\"ann\",\"points\":1,\"reason\":\"误发\",\"expiresAt\":7}\n\
            {\"userId\":\"ann\",\"points\":1,\"expiresAt\":\"7\"}\n\
            {\"userId\":\"ann\",\"points\":1,\"colour\":2}\n";
        let csv = "userId,points,kind,reason,source,orderId,expiresAt\nann,5,,,invite_reward,,7\n\
            bob,7,deduct,误发,,o-1,\na b,5,,,,,\nann,0,,,,,\nann,1,give,,,,\nann,1,deduct,,,,\n\
            ann,1,,,mall_refund,,\nann,1,deduct,误发,,,7\nann,1,,,,,\"\"\"7\"\"\"\n";
        let paths = [
            "$.userId",
            "$.points",
            "$.kind",
            "$.reason",
            "$.source",
            "$.expiresAt",
            "$.expiresAt",
            "$.colour",
        ];
        for (text, format, first, wrong) in
            [(json, Format::Jsonl, 1, &paths[..]), (csv, Format::Csv, 2, &paths[..7])]
        {
            let lines = read(text.as_bytes(), format).expect("it can be read");
            let entry = |at: usize| lines[at].1.as_ref().expect("it is good");
            let (ann, bob) = (entry(0), entry(1));
            assert_eq!((lines[0].0, &*ann.user, ann.points), (first, "ann", 5));
            assert_eq!((ann.expires_at, bob.expires_at), (Some(7), None));
            assert_eq!((ann.moving, ann.source), (Moving::Award, Some(PointsSource::InviteReward)));
            assert_eq!((bob.moving, bob.points, &*bob.reason), (Moving::Deduct, 7, "误发"));
            assert_eq!(bob.order.as_deref(), Some("o-1"));
            let told = lines[2..].iter().map(|(_, line)| line.as_ref().expect_err("wrong"));
            let told: Vec<&str> = told.map(|violation| &*violation.path).collect();
            assert_eq!(told, wrong, "{format:?}");
        }
    }
}
