//! Would catch a shelf that shows another catalogue than the documents are, two editors who
//! overwrite each other, and a document that goes though something refers to it.

use super::*;
use crate::ledger::Receive;
use crate::mall::facts::{IMPORTS, Pending, SEAL, pieces, seal};
use crate::mall::model::{Category, Product};

pub(in crate::mall) fn category(id: &str, parent: Option<&str>) -> Category {
    Category { parent_id: parent.map(Into::into), ..Category::new(id, id) }
}

pub(in crate::mall) fn product(id: &str) -> Product {
    Product { created_at: 7, ..Product::new(id, id, "c", 5) }
}

pub(in crate::mall) fn editor(name: &str) -> Editor {
    Editor { name: name.into(), key: None }
}

fn engine() -> (tempfile::TempDir, Engine) {
    let dir = tempfile::TempDir::new().expect("a directory");
    let engine = Engine::builder(dir.path()).segment_bytes(256 << 10).open().expect("it opens");
    (dir, engine)
}

/// A catalogue with the category `c`.
fn catalogue(engine: &Engine) -> Catalogue {
    let catalogue = Catalogue::load(engine).expect("an empty catalogue");
    catalogue.put(engine, &category("c", None)).expect("a valid category");
    catalogue
}

/// Every product as a shelf has it, by its id.
fn products(shelf: &Shelf) -> Vec<(String, String, Tag)> {
    let row = |row: &Row| {
        let Item { product, tag, .. } = &*row.item;
        (product.id.clone(), product.name.clone(), *tag)
    };
    let mut all: Vec<_> = shelf.rows().map(row).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(all.len(), shelf.len());
    all
}

/// A change makes one part of the shelf anew; what comes of many must be what a start reads.
#[test]
fn a_shelf_that_was_changed_is_the_one_that_would_be_read() {
    let (_dir, engine) = engine();
    let catalogue = catalogue(&engine);
    let entries = (0..3_000).map(|number| (number, Entry::Product(product(&format!("p{number}")))));
    let import = Import {
        entries: entries.collect(),
        is_refused: false,
        by: "ann",
        keep_going: false,
        dry_run: false,
    };
    let imported = catalogue.import(&engine, import, |_, _| {}).expect("it is written");
    assert_eq!((imported.written, imported.refused), (3_000, Vec::new()));
    for number in (0..3_000).step_by(7) {
        let renamed = Product { name: format!("茶 {number}"), ..product(&format!("p{number}")) };
        catalogue
            .change(&engine, &renamed.id.clone(), &Seen::Any, &editor("bob"), |_| Ok(renamed))
            .expect("it is there");
    }
    for number in (0..3_000).step_by(500) {
        let id = format!("p{number}");
        catalogue
            .remove::<Product>(&engine, &id, &Seen::Any, &editor("bob"))
            .expect("nothing refers to it");
    }
    let (changed, read) = (catalogue.shelf(), read_shelf(&engine).expect("it reads"));
    assert_eq!(products(&changed), products(&read));
    for shelf in [&*changed, &read] {
        let mut found = Vec::new();
        let keyword = crate::mall::search::Keyword::new("茶 21").expect("not empty");
        shelf.find(&keyword, |row| found.push(row.item.product.id.clone()));
        found.sort();
        let expected = ["p21", "p210", "p2100", "p2107", "p2114", "p2121", "p2128", "p2135"];
        let expected = expected.into_iter().chain(["p2142", "p2149", "p2156", "p2163", "p217"]);
        let expected = expected.chain(["p2170", "p2177", "p2184", "p2191", "p2198"]);
        assert_eq!(found, expected.collect::<Vec<_>>());
        assert!(shelf.any_item("p7").is_some() && shelf.any_item("p500").is_none());
        assert_eq!(shelf.products_of("c").count(), shelf.len());
    }
}

#[test]
fn of_two_editors_one_is_told() {
    let (_dir, engine) = engine();
    let catalogue = catalogue(&engine);
    let first = catalogue.create(&engine, product("tea"), &editor("ann")).expect("it is new");
    assert!(matches!(
        catalogue.create(&engine, product("tea"), &editor("bob")),
        Err(Failure::Exists)
    ));
    let again = catalogue.create(&engine, product("tea"), &editor("ann")).expect("a retry");
    assert_eq!(again.tag, first.tag);

    let seen = Seen::OneOf(vec![first.tag]);
    let dearer = |product: &Product| Ok(Product { points_price: 9, ..product.clone() });
    let cheaper = |product: &Product| Ok(Product { points_price: 1, ..product.clone() });
    let second =
        catalogue.change(&engine, "tea", &seen, &editor("ann"), dearer).expect("as she saw it");
    assert_ne!(second.tag, first.tag);
    assert_eq!(second.stamp.updated_by.as_deref(), Some("ann"));
    for (by, change) in [("bob", dearer as fn(&Product) -> _), ("ann", cheaper), ("bob", cheaper)] {
        let late = catalogue.change(&engine, "tea", &seen, &editor(by), change);
        assert!(matches!(late, Err(Failure::Changed)), "{by}");
    }
    let retry =
        catalogue.change(&engine, "tea", &seen, &editor("ann"), dearer).expect("she did not hear");
    assert_eq!(retry.tag, second.tag);
    assert!(matches!(
        catalogue.remove::<Product>(&engine, "tea", &seen, &editor("bob")),
        Err(Failure::Changed)
    ));
    let last_seq = engine.status().last_seq;
    let seen = Seen::OneOf(vec![second.tag]);
    catalogue.change(&engine, "tea", &seen, &editor("bob"), dearer).expect("it is so already");
    assert_eq!(engine.status().last_seq, last_seq, "what changes nothing writes nothing");
}

#[test]
fn what_something_refers_to_stays() {
    let (_dir, engine) = engine();
    let catalogue = catalogue(&engine);
    catalogue.put(&engine, &category("below", Some("c"))).expect("a valid category");
    let tea = catalogue.create(&engine, product("tea"), &editor("ann")).expect("it is new");
    let why =
        catalogue.remove::<Category>(&engine, "c", &Seen::Any, &editor("ann")).expect_err("in use");
    assert!(format!("{why:?}").contains("categories: 1, products: 1"), "{why:?}");
    engine.receive(Receive::new(tea.stock, 1)).and_then(|ticket| ticket.wait()).expect("received");
    let why = catalogue
        .remove::<Product>(&engine, "tea", &Seen::Any, &editor("ann"))
        .expect_err("in use");
    assert!(format!("{why:?}").contains("available: 1"), "{why:?}");
    engine
        .write_off(crate::ledger::WriteOff::new(tea.stock, 1))
        .and_then(|ticket| ticket.wait())
        .expect("written off");
    catalogue
        .remove::<Product>(&engine, "tea", &Seen::Any, &editor("ann"))
        .expect("nothing is left");
    catalogue
        .remove::<Category>(&engine, "below", &Seen::Any, &editor("ann"))
        .expect("it is empty");
    catalogue.remove::<Category>(&engine, "c", &Seen::Any, &editor("ann")).expect("it is empty");
    assert!(engine.receive(Receive::new(tea.stock, 1)).is_err(), "nobody finds units in it later");

    catalogue.put(&engine, &category("c", None)).expect("it can be again");
    let anew = catalogue.create(&engine, product("tea"), &editor("bob")).expect("it can be again");
    assert_ne!(anew.stock, tea.stock);
    engine.receive(Receive::new(anew.stock, 1)).and_then(|ticket| ticket.wait()).expect("received");
}

#[test]
fn a_document_that_cannot_be_read_is_left_out_named_and_kept() {
    let (_dir, engine) = engine();
    let good = br#"{"id":"tea","name":"Tea","categoryId":"c","pointsPrice":5,"active":true}"#;
    let nameless =
        br#"{"id":"no/name","name":"Tea","categoryId":"c","pointsPrice":5,"active":true}"#;
    for (id, body) in
        [("tea", &good[..]), ("other", good), ("torn", br#"{"id":"torn""#), ("no/name", nameless)]
    {
        engine
            .put_document(PutDocument::new("product", id, body))
            .and_then(|ticket| ticket.wait())
            .expect("it is written");
    }
    let catalogue = catalogue(&engine);
    let shelf = catalogue.shelf();
    assert_eq!(products(&shelf).iter().map(|(id, ..)| &**id).collect::<Vec<_>>(), ["tea"]);
    let named = |shelf: &Shelf| {
        let mut ids: Vec<String> = shelf.unreadable().iter().map(|it| it.id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(named(&shelf), ["no/name", "other", "torn"]);
    assert_eq!(engine.documents("product").len(), 4, "nothing is removed");

    catalogue.create(&engine, product("torn"), &editor("ann")).expect("nobody could see it");
    catalogue.remove::<Product>(&engine, "other", &Seen::Any, &editor("ann")).expect("it is there");
    let missing = catalogue.remove::<Product>(&engine, "never", &Seen::Any, &editor("ann"));
    assert!(matches!(missing, Err(Failure::ProductNotFound)));
    assert_eq!(named(&catalogue.shelf()), ["no/name"]);
    assert_eq!(named(&read_shelf(&engine).expect("it reads")), ["no/name"]);
}

#[test]
fn an_import_is_all_or_nothing_unless_told_to_go_on() {
    let (_dir, engine) = engine();
    let catalogue = catalogue(&engine);
    let entries = vec![
        // What it refers to comes later.
        (1, Entry::Product(Product { category_id: "new".into(), ..product("tea") })),
        (2, Entry::Product(Product { category_id: "nowhere".into(), ..product("cup") })),
        (3, Entry::Category(category("newer", Some("new")))),
        (4, Entry::Category(category("new", None))),
        (5, Entry::Category(category("c", None))),
        (6, Entry::Product(product("tea"))),
        (7, Entry::Product(Product { name: "\0".into(), ..product("pot") })),
    ];
    let import = |keep_going, dry_run| {
        let entries = entries.clone();
        let import = Import { entries, is_refused: false, by: "import", keep_going, dry_run };
        catalogue.import(&engine, import, |_, _| {}).expect("the engine runs")
    };
    let before = engine.status().last_seq;
    let refused = import(false, false);
    let told: Vec<String> =
        refused.refused.iter().map(|it| format!("{} {}", it.line, it.why.path)).collect();
    assert_eq!(told, ["2 $.categoryId", "6 $.id", "7 $.name"]);
    assert_eq!((refused.written, refused.unchanged), (0, 1));
    let dry = import(true, true);
    assert_eq!((dry.written, dry.unchanged, dry.refused.len()), (3, 1, 3));
    assert_eq!(engine.status().last_seq, before, "nothing was written");
    assert_eq!(import(true, false), dry);
    let shelf = catalogue.shelf();
    assert_eq!(shelf.any_item("tea").expect("it is written").product.category_id, "new");
    assert_eq!(shelf.category("newer").expect("it is written").level, 2);
    assert!(shelf.any_item("cup").is_none());
    assert_eq!(import(true, false).written, 0, "there is just this already");
}

/// Every moment at which an import may be killed, one record after another.
#[test]
fn what_was_sealed_is_finished_and_what_was_not_is_nothing() {
    let pending = |id: &str, name: &str| {
        let content = Product { name: name.into(), ..product(id) };
        let (_, engine) = engine();
        let (_, body) = kept_as(content, &engine, None).expect("it is short");
        Pending { collection: "product".into(), id: id.into(), body }
    };
    let all = [pending("new", "New"), pending("old", "Renamed")];
    let aside = pieces(&all);
    let mut steps: Vec<(String, String, Option<Vec<u8>>)> = Vec::new();
    let piece =
        |(name, body): &(String, Vec<u8>)| (IMPORTS.into(), name.clone(), Some(body.clone()));
    steps.extend(aside.iter().map(piece));
    let sealed_at = steps.len() + 1;
    steps.push((IMPORTS.into(), SEAL.into(), Some(seal(aside.len()))));
    let put = |it: &Pending| (it.collection.clone(), it.id.clone(), Some(it.body.clone()));
    steps.extend(all.iter().map(put));
    steps.push((IMPORTS.into(), SEAL.into(), None));
    steps.extend(aside.iter().map(|(name, _)| (IMPORTS.into(), name.clone(), None)));
    for killed_after in 0..=steps.len() {
        let (_dir, engine) = engine();
        catalogue(&engine).put(&engine, &product("old")).expect("a valid product");
        for (collection, name, body) in &steps[..killed_after] {
            let put =
                PutDocument { body: body.as_deref(), ..PutDocument::remove(collection, name) };
            drop(engine.put_document(put).expect("there is room"));
        }
        let opened = Catalogue::load(&engine).expect("it is finished, or taken back");
        let shelf = opened.shelf();
        let name_of = |id: &str| shelf.any_item(id).map(|item| item.product.name.clone());
        let expected = match killed_after < sealed_at {
            true => (None, Some("old".to_owned())),
            false => (Some("New".to_owned()), Some("Renamed".to_owned())),
        };
        assert_eq!((name_of("new"), name_of("old")), expected, "after {killed_after}");
        assert_eq!(engine.documents(IMPORTS).len(), 0, "nothing is left aside");
    }
}
