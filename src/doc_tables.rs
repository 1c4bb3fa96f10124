//! Tables of the documents, which tests hold to the tables of the code.

/// Makes sure that the first table after `heading` in the text of `document` has these rows.
#[track_caller]
pub(crate) fn check(document: &str, text: &str, heading: &str, rows: &[String]) {
    let section = text.lines().skip_while(|line| *line != heading);
    let table = section.skip_while(|line| !line.starts_with('|'));
    // The names of the columns, and the line under them.
    let shown: Vec<&str> = table.take_while(|line| line.starts_with('|')).skip(2).collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !shown.contains(&row.as_str())).collect();
    let unknown: Vec<&&str> =
        shown.iter().filter(|line| !rows.iter().any(|row| row == *line)).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{document}, the table under {heading:?}\nlacks:\n{missing:#?}\nand should not have:\n{unknown:#?}"
    );
    assert_eq!(shown, rows, "{document}, the table under {heading:?}: the order of its rows");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A\n\n| x |\n|---|\n| 1 |\n\n## B\n\nText.\n\n| y |\n|---|\n| 2 |\n| 3 |\n\n| z |\n|---|\n| 4 |\n";

    #[test]
    fn the_table_under_a_heading_is_compared_and_no_other() {
        check("a", TEXT, "# A", &["| 1 |".to_owned()]);
        check("a", TEXT, "## B", &["| 2 |".to_owned(), "| 3 |".to_owned()]);
    }

    #[test]
    #[should_panic(expected = "| 3 |")]
    fn a_row_too_many_is_named() {
        check("a", TEXT, "## B", &["| 2 |".to_owned()]);
    }

    #[test]
    #[should_panic(expected = "| 5 |")]
    fn a_missing_row_is_named() {
        let rows = ["| 2 |", "| 3 |", "| 5 |"].map(str::to_owned);
        check("a", TEXT, "## B", &rows);
    }

    #[test]
    #[should_panic(expected = "order")]
    fn another_order_is_another_table() {
        check("a", TEXT, "## B", &["| 3 |".to_owned(), "| 2 |".to_owned()]);
    }
}
