//! A part of the shelf: the products whose ids hash alike, with what lists and searches read of
//! them side by side in memory. A change makes one part anew and shares all others.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::item::Item;
use crate::base::AccountId;
use crate::base::error::Result;
use crate::engine::Engine;
use crate::mall::model::Product;
use crate::mall::search::{Keyword, SearchText, fold};

/// Where a product belongs: the same in every process.
pub(in crate::mall) fn hash(id: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(id)
}

/// A product with what lists read of it.
#[derive(Debug)]
pub(crate) struct Row {
    hash: u64,
    pub(in crate::mall) item: Arc<Item>,
    /// Units sold as last read from the ledger.
    sales: AtomicU64,
    /// The hash of its category's id.
    category: u64,
    /// The first bytes of its id: they order as it does.
    head: u128,
    pub(in crate::mall) price: u64,
    pub(in crate::mall) sort_order: i64,
    pub(in crate::mall) created_at: u64,
    pub(in crate::mall) stock: AccountId,
    pub(in crate::mall) is_active: bool,
    pub(in crate::mall) is_hot: bool,
    pub(in crate::mall) is_new: bool,
}

impl Row {
    fn new(item: Arc<Item>, sales: u64) -> Self {
        let product = &item.product;
        let mut head = [0; 16];
        let length = product.id.len().min(16);
        head[..length].copy_from_slice(&product.id.as_bytes()[..length]);
        Self {
            hash: hash(&product.id),
            sales: AtomicU64::new(sales),
            category: hash(&product.category_id),
            head: u128::from_be_bytes(head),
            price: product.points_price,
            sort_order: product.sort_order,
            created_at: product.created_at,
            stock: item.stock,
            is_active: product.active,
            is_hot: product.is_hot,
            is_new: product.is_new,
            item,
        }
    }

    pub(in crate::mall) fn sales(&self) -> u64 {
        // Relaxed: a number to order by; nothing is published with it.
        self.sales.load(Ordering::Relaxed)
    }

    /// Reads from the ledger how many units were sold.
    pub(in crate::mall) fn read_sales(&self, engine: &Engine) -> Result<()> {
        self.sales.store(engine.level(self.stock)?.consumed, Ordering::Relaxed);
        Ok(())
    }

    /// What orders as its id does.
    pub(in crate::mall) fn id(&self) -> (u128, &str) {
        (self.head, &self.item.product.id)
    }

    /// Whether it is in this category, of which the hash is known.
    pub(in crate::mall) fn is_in(&self, category: &str, category_hash: u64) -> bool {
        self.category == category_hash && self.item.product.category_id == category
    }
}

/// What becomes of a product: there is none any more, or this.
pub(super) type Placed = Option<Arc<Item>>;

#[derive(Debug, Default)]
pub(super) struct Part {
    /// By hash, then id.
    rows: Vec<Row>,
    /// By the place of a row.
    text: SearchText,
}

impl Part {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn row(&self, id: &str) -> Option<&Row> {
        let hash = hash(id);
        let from = self.rows.partition_point(|row| row.hash < hash);
        let mut alike = self.rows[from..].iter().take_while(|row| row.hash == hash);
        alike.find(|row| row.item.product.id == id)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    pub(super) fn find<'a>(&'a self, keyword: &Keyword, mut found: impl FnMut(&'a Row)) {
        self.text.find(keyword, |place| found(&self.rows[place]));
    }

    /// The part after these changes, the last one of each id. What is not new is not folded again.
    pub(super) fn with(&self, changes: &[(&str, Placed)]) -> Self {
        let changed: HashMap<&str, &Placed> = changes.iter().map(|(id, to)| (*id, to)).collect();
        let kept = self.rows.iter().filter(|row| !changed.contains_key(&*row.item.product.id));
        let added = changed.values().filter_map(|to| to.as_ref());
        let mut items: Vec<(u64, &Arc<Item>)> = kept
            .map(|row| (row.hash, &row.item))
            .chain(added.map(|item| (hash(&item.product.id), item)))
            .collect();
        items.sort_unstable_by(|(a_hash, a), (b_hash, b)| {
            (a_hash, &a.product.id).cmp(&(b_hash, &b.product.id))
        });
        let mut part = Self { rows: Vec::with_capacity(items.len()), text: SearchText::default() };
        let mut old = 0;
        for (hash, item) in items {
            let id = &*item.product.id;
            while self
                .rows
                .get(old)
                .is_some_and(|row| (row.hash, &*row.item.product.id) < (hash, id))
            {
                old += 1;
            }
            let before = self.rows.get(old).filter(|row| row.item.product.id == id);
            part.rows.push(Row::new(Arc::clone(item), before.map_or(0, Row::sales)));
            match before.filter(|row| reads_alike(&row.item.product, &item.product)) {
                Some(_) => part.text.push(self.text.texts(old)),
                None => {
                    let Product { name, description, .. } = &item.product;
                    part.text.push([&fold(name), &fold(description)]);
                }
            }
        }
        part
    }
}

fn reads_alike(a: &Product, b: &Product) -> bool {
    (&a.name, &a.description) == (&b.name, &b.description)
}
