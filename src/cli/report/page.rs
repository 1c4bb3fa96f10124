//! A report as a page: figures and plots, to look at and to print. It has no script and asks nobody for
//! anything, and says so to the browser.

use std::fmt::Write;

use super::rows::totals;
use super::text::{ANSWERS_HEAD, PRODUCTS_HEAD, answers, cells, during, heading};
use super::{plot, rows};
use crate::base::error::Result;
use crate::http::{escaped, policy_of};
use crate::mall::Report;

const STYLE: &str = include_str!("style.css");

/// # Errors
/// `Unavailable` when a plot cannot be drawn.
pub(super) fn page(report: &Report) -> Result<String> {
    let title = escaped(&heading(report));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
        policy_of(STYLE)
    );
    let class = if report.is_over { "" } else { " class=\"open\"" };
    // Writing to a string cannot fail.
    let _ = writeln!(page, "<p{class}>{}</p>", escaped(&during(report)));
    section(&mut page, "Figures", &figures(report));
    section(&mut page, "Exchanges", &plot::course(report)?);
    if !report.products.is_empty() {
        section(&mut page, "Popular products", &(plot::products(report)? + &products(report)));
    }
    let answers = answers(report);
    if !answers.is_empty() {
        section(&mut page, "Answers of the server", &table(ANSWERS_HEAD, answers));
    }
    let left: String = report
        .left_out
        .iter()
        .map(|left| format!("<p>{}: {}</p>\n", escaped(&left.figure), escaped(&left.why)))
        .collect();
    if !left.is_empty() {
        section(&mut page, "Left out", &left);
    }
    page.push_str("</body>\n</html>\n");
    Ok(page)
}

fn section(page: &mut String, title: &str, content: &str) {
    let _ = writeln!(page, "<section>\n<h2>{title}</h2>\n{content}</section>");
}

fn figures(report: &Report) -> String {
    let mut table = "<table>\n".to_owned();
    for rows::Row { about, figure, value, item: _ } in totals(report) {
        let _ = writeln!(
            table,
            "<tr><td>{about}</td><td>{figure}</td><td class=\"number\">{}</td></tr>",
            escaped(&value)
        );
    }
    table + "</table>\n"
}

fn products(report: &Report) -> String {
    table(PRODUCTS_HEAD, report.products.iter().map(cells).collect())
}

/// A table whose first column is names and whose others are numbers.
fn table([first, heads @ ..]: [&str; 8], rows: Vec<[String; 8]>) -> String {
    let mut table = format!("<table>\n<tr><th>{first}</th>");
    for head in heads {
        let _ = write!(table, "<th class=\"number\">{head}</th>");
    }
    table.push_str("</tr>\n");
    for [name, rest @ ..] in rows {
        let _ = write!(table, "<tr><td>{}</td>", escaped(&name));
        for cell in rest {
            let _ = write!(table, "<td class=\"number\">{}</td>", escaped(&cell));
        }
        table.push_str("</tr>\n");
    }
    table + "</table>\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(name: &str) -> Report {
        let turnover = json!({"stockAtBegin": 9, "stockAtEnd": 8, "rate": 0.1176});
        let product = json!({"id": "tea", "name": name, "exchanges": 1, "units": 1, "points": 5,
            "unitsReturned": 0, "turnover": turnover});
        let report = json!({
            "span": "daily", "period": "2026-01-01", "timeZone": "UTC", "from": 0, "to": 9,
            "isOver": false, "asOf": 5,
            "orders": {"made": 1, "exchanged": 1, "cancelled": 0, "expired": 0, "refunds": 0,
                "refundedWhole": 0},
            "units": {"exchanged": 1, "returned": 0}, "points": {"consumed": 5, "returned": 0},
            "users": {"exchanging": 1, "new": null, "returning": null, "before": null,
                "retained": null, "retention": null, "exchangesPerUser": 1.0},
            "revenue": {"exchangedCents": 1990, "returnedCents": 2000, "netCents": -10,
                "unitsWithoutPrice": 0},
            "turnover": turnover, "productsCount": 1, "products": [product],
            "course": [{"from": 0, "name": "00:00", "exchanges": 1, "pointsConsumed": 5}],
            "leftOut": [{"figure": "<conversion>", "why": "a & b"}],
        });
        serde_json::from_value(report).expect("a report")
    }

    /// Would catch a name that becomes a part of the page, or of a plot.
    #[test]
    fn what_operators_wrote_is_shown_as_they_wrote_it() {
        let page = page(&report("<script>alert('tea')</script>")).expect("it can be drawn");
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;tea&#39;)&lt;/script&gt; (tea)"), "{page}");
        assert!(page.contains("&lt;conversion&gt;: a &amp; b"), "{page}");
    }

    #[test]
    fn what_is_not_known_is_left_out_and_a_day_that_is_not_over_says_so() {
        let page = page(&report("Tea")).expect("it can be drawn");
        assert!(page.contains("it is not over: these are the figures until"), "{page}");
        assert!(page.contains(">-0.10<") && page.contains(">19.90<"), "{page}");
        assert!(!page.contains(">retention<") && !page.contains(">new<"), "{page}");
        let table = rows::csv(&report("=1+1"));
        assert!(table.contains("product,tea,name,\"'=1+1\"\r\n"), "{table}");
    }
}
