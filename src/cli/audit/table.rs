//! Tables for people.

use std::fmt::Write;

/// Columns as wide as their widest cell, two spaces apart. `right` names the columns that are
/// aligned to the right.
pub(in crate::cli) fn table<const N: usize>(
    head: [&str; N],
    right: &[usize],
    rows: &[[String; N]],
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    line(&head.map(str::to_owned), &widths, right, &mut text);
    rows.iter().for_each(|row| line(row, &widths, right, &mut text));
    text
}

fn line<const N: usize>(
    cells: &[String; N],
    widths: &[usize; N],
    right: &[usize],
    text: &mut String,
) {
    let start = text.len();
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        let gap = if column == 0 { "" } else { "  " };
        // Writing to a string cannot fail.
        let _ = match right.contains(&column) {
            true => write!(text, "{gap}{cell:>width$}"),
            false => write!(text, "{gap}{cell:<width$}"),
        };
    }
    let end = start + text[start..].trim_end().len();
    text.truncate(end);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["a".to_owned(), "1".to_owned()], ["long".to_owned(), "10".to_owned()]];
        assert_eq!(table(["key", "n"], &[1], &rows), "key    n\na      1\nlong  10\n");
    }
}
