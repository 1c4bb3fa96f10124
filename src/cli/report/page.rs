//! A report as a page: figures and plots, to look at and to print. It has no script and asks nobody for
//! anything, and says so to the browser.

use std::fmt::Write;

use super::rows;
use super::rows::totals;
use super::text::{ANSWERS_HEAD, PRODUCTS_HEAD, answers, cells, during, heading};
use crate::base::error::Result;
use crate::http::plot::{self, Caption};
use crate::http::{escaped, policy_of};
use crate::mall::{Report, SlotFigures};

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
    section(&mut page, "Exchanges", &(drawn_course(report)? + &course(report)));
    if !report.products.is_empty() {
        section(&mut page, "Popular products", &(drawn_products(report)? + &products(report)));
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

fn drawn_course(report: &Report) -> Result<String> {
    let most = report.course.iter().max_by_key(|slot| slot.exchanges);
    let most = most.map(|slot| format!("; most, {}, at {}", slot.exchanges, slot.name));
    let all: u64 = report.course.iter().map(|slot| slot.exchanges).sum();
    let told =
        format!("{all} exchanges{}. The table below has them all.", most.unwrap_or_default());
    plot::course(report, Caption { title: "Exchanges by time", told: &told })
}

fn drawn_products(report: &Report) -> Result<String> {
    let first = report.products.first();
    let first = first
        .map(|it| format!("Most: {}, {} units. ", it.name.as_deref().unwrap_or(&it.id), it.units));
    let told = format!("{}The table below has them all.", first.unwrap_or_default());
    plot::products(report, Caption { title: "Products by units", told: &told })
}

fn section(page: &mut String, title: &str, content: &str) {
    let _ = writeln!(page, "<section>\n<h2>{title}</h2>\n{content}</section>");
}

fn figures(report: &Report) -> String {
    let mut table = "<table>\n".to_owned();
    for rows::Row { about, figure, value, item: _ } in totals(report) {
        let _ = writeln!(
            table,
            "<tr><td>{about}</td><th scope=\"row\">{figure}</th><td class=\"number\">{}</td></tr>",
            escaped(&value)
        );
    }
    table + "</table>\n"
}

fn products(report: &Report) -> String {
    table(PRODUCTS_HEAD, report.products.iter().map(cells).collect())
}

fn course(report: &Report) -> String {
    let row = |slot: &SlotFigures| {
        [slot.name.clone(), slot.exchanges.to_string(), slot.points_consumed.to_string()]
    };
    table(["from", "exchanges", "points"], report.course.iter().map(row).collect())
}

/// A table whose first column is names and whose others are numbers.
fn table<const N: usize>(heads: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut table = "<table>\n<tr>".to_owned();
    for (at, head) in heads.into_iter().enumerate() {
        let class = if at == 0 { "" } else { " class=\"number\"" };
        let _ = write!(table, "<th scope=\"col\"{class}>{head}</th>");
    }
    table.push_str("</tr>\n");
    for row in rows {
        table.push_str("<tr>");
        for (at, cell) in row.into_iter().enumerate() {
            let cell = escaped(&cell);
            let _ = match at {
                0 => write!(table, "<th scope=\"row\">{cell}</th>"),
                _ => write!(table, "<td class=\"number\">{cell}</td>"),
            };
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

    /// Would catch a plot that says nothing to who cannot see it, or cannot be read in the dark.
    #[test]
    fn plots_have_names_and_words_and_tables_and_no_ink_of_their_own() {
        let page = page(&report("Tea & <milk>")).expect("it can be drawn");
        assert_eq!(page.matches("<svg role=\"img\" aria-labelledby=").count(), 2, "{page}");
        for part in [
            "<title id=\"course-title\">Exchanges by time</title>",
            ">1 exchanges; most, 1, at 00:00. The table below has them all.</desc>",
            "<desc id=\"products-told\">Most: Tea &amp; &lt;milk&gt;, 1 units.",
            "<tr><th scope=\"row\">00:00</th><td class=\"number\">1</td><td class=\"number\">5</td></tr>",
            "@media (prefers-color-scheme: dark)",
            "svg text { fill: currentColor }",
        ] {
            assert!(page.contains(part), "no {part:?} in {page}");
        }
        // The two inks that the style changes are all that plots have.
        let inks: std::collections::BTreeSet<&str> =
            page.split('"').filter(|it| it.len() == 7 && it.starts_with('#')).collect();
        assert!(inks.iter().all(|ink| ["#000000", "#2F6DB5"].contains(ink)), "{inks:?}");
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
