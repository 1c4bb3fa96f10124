//! The catalogue as a file: all of it into one, and what another says.

use hyper::header::{CONTENT_DISPOSITION, HeaderValue};
use maud::{Markup, html};

use super::{nav, sheet_field};
use crate::base::error::{Error, Result};
use crate::http::api::csv;
use crate::http::error::ApiError;
use crate::http::pages::form::Fields;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::reply::Answer;
use crate::http::sheet::catalogue::{COLUMNS, category, entry, product};
use crate::http::sheet::{Sheet, rows};
use crate::mall::{Import, Imported, Mall, Refused};

/// As many refused lines are shown.
const SHOWN_MAX: usize = 100;

pub(in crate::http::pages) async fn get(page: &Desk<'_>) -> Answer {
    Ok(page.show(page.words.import_export, &content(page, "", &html! {})))
}

fn content(page: &Desk<'_>, sent: &str, told: &Markup) -> Markup {
    let words = page.words;
    html! {
        (nav(page))
        p { a .button href="/console/catalogue.csv" download { (words.export) } }
        (told)
        form method="post" action="/console/catalogue" .panel data-once {
            p .quiet { (words.import_hint) }
            (sheet_field(words, sent))
            button name="do" value="look" { (words.look_only) } " "
            button .main name="do" value="write" { (words.import) }
        }
    }
}

/// All or nothing: a line that is refused refuses the file. To import twice comes to the same.
pub(in crate::http::pages) async fn post(page: &Desk<'_>, fields: &Fields) -> Answer {
    let dry_run = match fields.must("do")? {
        "look" => true,
        "write" => false,
        _ => return Err(ApiError::invalid("do is look or write")),
    };
    let sent = fields.must("rows")?.to_owned();
    let (mall, by) = (page.mall().clone(), page.user().id().to_owned());
    let import = move || {
        let imported = import(&mall, &sent, &by, dry_run).map_err(ApiError::from);
        imported.map(|imported| (imported, sent))
    };
    let (imported, sent) = page.call.lanes().lists.run(import).await?;
    let told = outcome(page, &imported, dry_run);
    Ok(page.show(page.words.import_export, &content(page, &sent, &told)))
}

fn import(mall: &Mall, sent: &str, by: &str, dry_run: bool) -> Result<Imported> {
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    for (line, entry) in rows(sent.as_bytes(), COLUMNS, entry)? {
        match entry {
            Ok(entry) => entries.push((line, entry)),
            Err(why) => wrong.push(Refused { line, why }),
        }
    }
    let is_refused = !wrong.is_empty();
    let import = Import { entries, is_refused, by, keep_going: false, dry_run };
    let mut imported = mall.import(import, |_, _| {})?;
    imported.refused.extend(wrong);
    imported.refused.sort_by_key(|refused| refused.line);
    Ok(imported)
}

fn outcome(page: &Desk<'_>, imported: &Imported, dry_run: bool) -> Markup {
    let words = page.words;
    let Imported { written, unchanged, refused } = imported;
    let verb = if dry_run { words.would_be_written } else { words.written };
    html! {
        p role="alert" data-written=(written) {
            strong { (verb) " " (number(*written as u64)) " · " (words.unchanged) " " (number(*unchanged as u64))
                " · " (words.rows_refused) " " (number(refused.len() as u64)) }
        }
        @if !refused.is_empty() {
            p { (words.nothing_changed) }
            ul { @for it in refused.iter().take(SHOWN_MAX) { li { (words.line) " " (it.line) ": " (it.why.to_string()) } } }
        }
    }
}

pub(in crate::http::pages) async fn export(page: &Desk<'_>) -> Answer {
    let mall = page.mall().clone();
    let write = move || Ok::<_, ApiError>(csv::answer(table(&mall)?, None));
    let mut response = page.call.lanes().lists.run(write).await?;
    let as_file = HeaderValue::from_static("attachment; filename=\"catalogue.csv\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, as_file);
    Ok(response)
}

fn table(mall: &Mall) -> Result<String> {
    let (shelf, mut bytes) = (mall.shelf(), Vec::new());
    let mut sheet = Sheet::new(&mut bytes, COLUMNS)?;
    shelf.categories.iter().try_for_each(|it| sheet.row(&category(&it.content)))?;
    shelf.items().into_iter().try_for_each(|it| sheet.row(&product(&it.product)))?;
    sheet.finish()?;
    String::from_utf8(bytes).map_err(|_| Error::unavailable("the table is no UTF-8"))
}
