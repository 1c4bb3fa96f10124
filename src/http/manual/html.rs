//! Texts as HTML has them.

/// A text, with what HTML would read as its own escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A text with code in backticks.
pub(super) fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(at, part)| match at % 2 {
        0 => escaped(part),
        _ => code(part),
    });
    parts.collect()
}

pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// A table; its cells are HTML already.
pub(super) fn table<R: AsRef<[String]>>(head: &[impl AsRef<str>], rows: &[R]) -> String {
    let line = |cells: String| format!("<tr>{cells}</tr>\n");
    let head = head.iter().map(|cell| format!("<th>{}</th>", cell.as_ref()));
    let rows = rows
        .iter()
        .map(|row| line(row.as_ref().iter().map(|cell| format!("<td>{cell}</td>")).collect()));
    let (head, rows) = (line(head.collect()), rows.collect::<String>());
    format!("<div class=\"wide\"><table>\n{head}{rows}</table></div>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text() {
        assert_eq!(escaped(r#"<a href="x">&'"#), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
        assert_eq!(prose("a `b<c` d"), "a <code>b&lt;c</code> d");
        let rows = [["1".to_owned(), "2".to_owned()]];
        assert_eq!(
            table(&["a", "b"], &rows),
            "<div class=\"wide\"><table>\n<tr><th>a</th><th>b</th></tr>\n<tr><td>1</td><td>2</td></tr>\n</table></div>\n"
        );
    }
}
