//! Histories of exchanges, and reading one from a table.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use crate::base::error::{Error, Result};

/// How many exchanges, users, products and categories a history may have.
const ROWS_MAX: usize = 500_000;
const USERS_MAX: usize = 100_000;
const ITEMS_MAX: usize = 100_000;
const CATEGORIES_MAX: usize = 1_000;
/// What a product may cost.
const PRICE_MAX: u64 = 1_000_000;
/// What one costs where the table does not say.
const PRICE: u64 = 100;
/// The columns: the first three must be there.
const COLUMNS: [&str; 5] = ["user", "item", "time", "category", "price"];

/// What was taken by whom, in the order of the times.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// What it is, for people.
    name: String,
    exchanges: Vec<Taken>,
    users_count: usize,
    items: Vec<Known>,
    categories: Vec<String>,
}

/// One exchange; users and products are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) user: usize,
    pub(super) item: usize,
    pub(super) time: u64,
}

/// What is known of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) category: usize,
    pub(super) price: u64,
}

/// Numbers names in the order in which they come.
#[derive(Default)]
struct Numbers(BTreeMap<String, usize>);

impl Numbers {
    fn of(&mut self, name: &str, max: usize) -> Option<usize> {
        if let Some(number) = self.0.get(name) {
            return Some(*number);
        }
        let number = self.0.len();
        (number < max).then(|| {
            self.0.insert(name.to_owned(), number);
            number
        })
    }
}

impl History {
    /// One that a program made: products have a category and a price.
    pub(super) fn new(
        name: String,
        exchanges: Vec<Taken>,
        users_count: usize,
        items: Vec<Known>,
        categories: Vec<String>,
    ) -> Self {
        Self { name, exchanges, users_count, items, categories }
    }

    /// Reads a table with the columns `user`, `item` and `time`, a whole number, and perhaps
    /// `category` and `price`, which are those of an item's first line. Of lines with the same time
    /// the first comes first.
    ///
    /// # Errors
    /// `Invalid` naming the line that is wrong, or that is beyond what may be read.
    pub(crate) fn read(name: &str, mut table: impl Read) -> Result<Self> {
        let mut text = Vec::new();
        table.read_to_end(&mut text).map_err(|cause| Error::io(name.to_owned(), cause))?;
        let mut reader = csv::Reader::from_reader(&*text);
        let head = reader.headers().map_err(|error| at_line(1, &error.to_string()))?.clone();
        for column in &head {
            if !COLUMNS.contains(&column) {
                let known = COLUMNS.join(", ");
                return Err(at_line(1, &format!("unknown column {column:?}: {known} are known")));
            }
        }
        let place = |column: &str| head.iter().position(|name| name == column);
        let must = |column: &str| {
            place(column).ok_or_else(|| at_line(1, &format!("there is no column {column:?}")))
        };
        let (user_at, item_at, time_at) = (must("user")?, must("item")?, must("time")?);
        let (category_at, price_at) = (place("category"), place("price"));
        let mut history = Self { name: name.to_owned(), ..Self::default() };
        let (mut users, mut items) = (Numbers::default(), Numbers::default());
        let mut categories = Numbers::default();
        for record in reader.records() {
            let record = record
                .map_err(|error| at_line(line_of(&text, error.position()), &error.to_string()))?;
            let line = line_of(&text, record.position());
            let wrong = |what: String| at_line(line, &what);
            if history.exchanges.len() == ROWS_MAX {
                return Err(wrong(format!("there are more than {ROWS_MAX} lines")));
            }
            let cell = |at: usize| record.get(at).unwrap_or_default().trim();
            let named = |at: usize, what: &str| match cell(at) {
                "" => Err(wrong(format!("{what} is empty"))),
                name => Ok(name),
            };
            let user = users.of(named(user_at, "user")?, USERS_MAX);
            let user = user.ok_or_else(|| wrong(format!("more than {USERS_MAX} users")))?;
            let item = items.of(named(item_at, "item")?, ITEMS_MAX);
            let item = item.ok_or_else(|| wrong(format!("more than {ITEMS_MAX} items")))?;
            let time = cell(time_at);
            let time = time
                .parse::<u64>()
                .map_err(|_| wrong(format!("time is {time:?}: it must be a whole number")))?;
            let price = match price_at.map_or("", cell) {
                "" => PRICE,
                text => {
                    let price = text.parse().ok().filter(|price| (1..=PRICE_MAX).contains(price));
                    price.ok_or_else(|| {
                        wrong(format!("price is {text:?}: it must be from 1 to {PRICE_MAX}"))
                    })?
                }
            };
            let category = match category_at.map_or("", cell) {
                "" => "none",
                name => name,
            };
            let category = categories.of(category, CATEGORIES_MAX);
            let category =
                category.ok_or_else(|| wrong(format!("more than {CATEGORIES_MAX} categories")))?;
            if item == history.items.len() {
                history.items.push(Known { category, price });
            }
            history.exchanges.push(Taken { user, item, time });
        }
        // Their names decide nothing, and may be no names of categories.
        history.categories =
            (0..categories.0.len()).map(|number| format!("category-{number:04}")).collect();
        history.users_count = users.0.len();
        history.exchanges.sort_by_key(|taken| taken.time);
        Ok(history)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn exchanges(&self) -> &[Taken] {
        &self.exchanges
    }

    pub(super) fn users_count(&self) -> usize {
        self.users_count
    }

    pub(super) fn items(&self) -> &[Known] {
        &self.items
    }

    pub(super) fn categories(&self) -> &[String] {
        &self.categories
    }

    /// Whether nobody took the same product twice: then nobody can.
    pub(super) fn is_once(&self) -> bool {
        let mut seen = BTreeSet::new();
        self.exchanges.iter().all(|taken| seen.insert((taken.user, taken.item)))
    }

    /// Where the last exchange of each user is that has more than one.
    pub(super) fn last_of_each(&self) -> Vec<usize> {
        let mut last = vec![(0, 0); self.users_count];
        for (place, taken) in self.exchanges.iter().enumerate() {
            let (count, at) = last[taken.user];
            last[taken.user] = (count + 1, place.max(at));
        }
        let mut last: Vec<_> =
            last.into_iter().filter(|(count, _)| *count > 1).map(|(_, place)| place).collect();
        last.sort_unstable();
        last
    }
}

/// The line on which a record begins: its position is that of empty lines before it.
fn line_of(text: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let rest = usize::try_from(position.byte()).ok().and_then(|at| text.get(at..));
    let ends = rest.unwrap_or_default().iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + ends.filter(|byte| **byte == b'\n').count() as u64
}

fn at_line(line: u64, what: &str) -> Error {
    Error::invalid(format!("line {line}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_put_in_the_order_of_its_times() {
        let table = "item,user,price,time,category\n\
            kite,ann,7,30,toys\ntea,bob,,10,\ntea,ann,9,10,toys\ncup,bob,5,20,toys\n";
        let history = History::read("a table", table.as_bytes()).expect("it reads");
        let taken: Vec<_> = history.exchanges().iter().map(|it| (it.user, it.item)).collect();
        // Of those with the same time the first line comes first.
        assert_eq!(taken, [(1, 1), (0, 1), (1, 2), (0, 0)]);
        let known: Vec<_> = history.items().iter().map(|it| (it.category, it.price)).collect();
        assert_eq!(known, [(0, 7), (1, 100), (0, 5)]);
        assert_eq!((history.users_count(), history.categories().len()), (2, 2));
        assert_eq!((history.is_once(), history.last_of_each()), (true, vec![2, 3]));
    }

    #[test]
    fn who_took_one_thing_alone_is_not_asked_about() {
        let table = "user,item,time\nann,tea,1\nbob,tea,2\nbob,tea,2\n";
        let history = History::read("a table", table.as_bytes()).expect("it reads");
        assert_eq!((history.last_of_each(), history.is_once()), (vec![2], false));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (table, line, why) in [
            ("user,item\na,b\n", 1, "no column \"time\""),
            ("user,item,time,colour\n", 1, "unknown column \"colour\""),
            ("user,item,time\na,b,1\na,,2\n", 3, "item is empty"),
            ("user,item,time\na,b,1\n ,b,2\n", 3, "user is empty"),
            ("user,item,time\na,b,1\n\n\na,b,soon\n", 5, "time is \"soon\""),
            ("user,item,time\na,b,-1\n", 2, "time is \"-1\""),
            ("user,item,time,price\na,b,1,0\n", 2, "price is \"0\""),
            ("user,item,time\na,b,1\na,b\n", 3, "2 fields"),
            ("user,item,time\na,b,1\n\"a\nb\",c,1\na,c,x\n", 5, "time is \"x\""),
        ] {
            let error = History::read("a table", table.as_bytes()).expect_err(table).to_string();
            assert!(error.contains(&format!("line {line}: ")), "{table:?}: {error}");
            assert!(error.contains(why), "{table:?}: {error}");
        }
        let many = std::io::repeat(b'x').take(0).chain(&b"user,item,time\n"[..]);
        let rows = std::iter::repeat_n("a,b,1\n", ROWS_MAX + 1).collect::<String>();
        let error = History::read("a table", many.chain(rows.as_bytes())).expect_err("too many");
        assert!(error.to_string().contains("line 500002: there are more than 500000"), "{error}");
    }
}
