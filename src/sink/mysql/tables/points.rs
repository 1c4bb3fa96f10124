//! `points_records`: every change of a user's points.

use super::column::Column;
use super::{Meeting, RecordRow, Rows, Table};
use crate::mall::model::PointsSource;
use crate::sink::mysql::schema::{Kind, NOW};
use crate::sink::mysql::time::datetime;

type C = Column<RecordRow>;

pub(in crate::sink::mysql) const TABLE: Table<RecordRow> = Table {
    name: "points_records",
    columns: &[
        C::must("id", Kind::Id(36), "", |row| row.id("pts_").into())
            .about("event and account, so that it sorts as things happened; _ and a number behind the first of several"),
        C::must("user_id", Kind::Id(64), "", |row| (&*row.owner).into()),
        C::must("points", Kind::Big, "", |row| row.delta.into()),
        C::or("source", Kind::OneOf(&PointsSource::NAMES), "DEFAULT 'payment_reward'", |row| {
            source(row).name().into()
        }),
        C::nullable("description", Kind::Text, |row| description(row).into()),
        C::late("order_id", Kind::Id(64), |row| {
            row.order().or_else(|| row.points_note().order.map(str::to_owned)).into()
        })
        .about("that of the mall, or of another system, as whoever moved the points named it"),
        C::must("created_at", Kind::Time, NOW, |row| datetime(row.at)),
        C::nullable("exchange_order_id", Kind::Id(36), |row| row.order().into()),
        C::must("balance_before", Kind::Big, "DEFAULT 0", |row| row.before().into()),
        C::must("balance_after", Kind::Big, "DEFAULT 0", |row| row.available.into()),
        C::late("operator_id", Kind::Id(64), |row| row.operator().into())
            .about("who changed it, where somebody did"),
        C::seq(),
    ],
    indexed: &["user_id", "source", "created_at", "exchange_order_id"],
    marks: &["balance_before", "balance_after"],
    is_shared: false,
    is_kept: false,
};

fn source(row: &RecordRow) -> PointsSource {
    row.points_note().source.unwrap_or_else(|| PointsSource::of_change(row.kind))
}

/// The reason that was given, or what the mall's document writes where nobody gave one.
fn description(row: &RecordRow) -> &str {
    match row.reason() {
        "" => source(row).reason(),
        reason => reason,
    }
}

pub(in crate::sink::mysql) fn rows(records: &[RecordRow]) -> Rows {
    TABLE.rows((), Meeting::Refused, records.iter())
}
