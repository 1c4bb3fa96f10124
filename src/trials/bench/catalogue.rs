//! A catalogue of 100,000 products: importing it, changing one, and looking for words in it.

use std::path::Path;
use std::time::Instant;

use super::durable::new_histogram;
use super::figures::{Figures, Target};
use super::stage;
use crate::base::error::{Error, Result};
use crate::mall::fields::read_product;
use crate::mall::{
    Category, Entry, Filter, Import, ListOrder, Mall, MallConfig, Page, Place, Product,
};

const PRODUCTS: u64 = 100_000;
const QUERIES: usize = 300;
const CATEGORY: &str = "cat";
/// Of these, names and descriptions are made.
const WORDS: [&str; 16] = [
    "龙井茶",
    "咖啡券",
    "无线耳机",
    "手机",
    "坚果礼盒",
    "电影票",
    "加油卡",
    "旅行箱",
    "保温杯",
    "台灯",
    "键盘",
    "雨伞",
    "蜂蜜",
    "拼图",
    "Pro Max",
    "NEW",
];

pub(super) fn catalogue(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    mall.put_category(&Category::new(CATEGORY, "分类"))?;
    let start = Instant::now();
    let entries = (0..PRODUCTS).map(|number| Ok((number, Entry::Product(product(number)?))));
    let import = Import {
        entries: entries.collect::<Result<_>>()?,
        is_refused: false,
        by: "bench",
        keep_going: false,
        dry_run: false,
    };
    let imported = mall.import(import, |_, _| {})?;
    if imported.written as u64 != PRODUCTS {
        return Err(Error::unavailable("not every product was imported"));
    }
    let seconds = start.elapsed().as_secs_f64();
    figures.figure("100,000 products read and imported", seconds, "s", Target::Under(10.0));

    let mut times = new_histogram()?;
    for number in 0..QUERIES as u64 {
        let changed = Product { points_price: number, ..product(number * 311 % PRODUCTS)? };
        let start = Instant::now();
        mall.put_product(&changed)?;
        times.saturating_record(start.elapsed().as_micros() as u64);
    }
    let median = |times: &hdrhistogram::Histogram<u64>| times.value_at_quantile(0.5) as f64 / 1e3;
    figures.figure("one of them changed, durable: median", median(&times), "ms", Target::None);

    for (what, keyword, target) in [
        ("a keyword that 1 in 8 has: median", Some("咖啡"), Target::Under(5.0)),
        ("a keyword that 1 in 100,000 has: median", Some("第99999号"), Target::Under(5.0)),
        ("a keyword that none has: median", Some("茶叶蛋"), Target::Under(5.0)),
        ("a keyword in another case: median", Some("ＰＲＯ max"), Target::Under(5.0)),
        ("all of them, the first page: median", None, Target::None),
    ] {
        let filter = Filter {
            keyword: keyword.map(str::to_owned),
            is_active: Some(true),
            ..Filter::default()
        };
        let place = Place::Numbered { number: 1, order: ListOrder::default() };
        let page = Page { place, size: 20 };
        let mut times = new_histogram()?;
        for _ in 0..QUERIES {
            let start = Instant::now();
            std::hint::black_box(mall.products(&filter, &page)?.total);
            times.saturating_record(start.elapsed().as_micros() as u64);
        }
        figures.figure(what, median(&times), "ms", target);
    }
    engine.close()
}

/// As it comes from a file.
fn product(number: u64) -> Result<Product> {
    let word = |at: u64| WORDS[((number >> at) % WORDS.len() as u64) as usize];
    let line = serde_json::json!({
        "id": format!("prod_{number:06}"),
        "name": format!("{} {} 第{number}号", word(0), word(4)),
        "description": format!("{}与{}的组合，全国门店通用，{}三十天内有效，{}", word(4), word(8), word(12), word(0)),
        "categoryId": CATEGORY,
        "pointsPrice": 100 + number % 9_000,
        "originalPrice": 19.9,
        "images": [format!("/images/{number}.png")],
        "specifications": {"重量": "100g"},
        "createdAt": 1_700_000_000_000 + number,
    });
    let members = line.as_object().cloned().unwrap_or_default();
    Ok(read_product(None, members)?)
}
