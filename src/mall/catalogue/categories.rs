//! The categories of the catalogue: few, in one order, and found by their ids.

use std::collections::HashMap;
use std::sync::Arc;

use crate::mall::facts::document::Kept;
use crate::mall::model::{CATEGORIES_MAX, Category, LEVEL_MAX, Violation};

/// All categories at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Categories {
    by_id: HashMap<String, Arc<Kept<Category>>, foldhash::fast::RandomState>,
    /// By level, then sort order, then id.
    ordered: Vec<Arc<Kept<Category>>>,
}

impl Categories {
    pub(super) fn of(categories: impl IntoIterator<Item = Kept<Category>>) -> Self {
        let mut all = Self::default();
        for category in categories {
            all.by_id.insert(category.content.id.clone(), Arc::new(category));
        }
        all.order();
        all
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Kept<Category>>> {
        self.by_id.get(id)
    }

    /// By level, then sort order, then id.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Kept<Category>>> + Clone {
        self.ordered.iter()
    }

    pub(super) fn put(&mut self, category: Arc<Kept<Category>>) {
        self.by_id.insert(category.content.id.clone(), category);
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    /// Whoever put or removed some calls this before others read.
    pub(super) fn order(&mut self) {
        self.ordered = self.by_id.values().cloned().collect();
        self.ordered.sort_unstable_by(|a, b| {
            let (a, b) = (&a.content, &b.content);
            (a.level, a.sort_order, &a.id).cmp(&(b.level, b.sort_order, &b.id))
        });
    }

    /// Whether `id` is `root` or below it. The walk is bounded, so that a loop in the data cannot
    /// hang it.
    pub(crate) fn is_within(&self, id: &str, root: &str) -> bool {
        let mut at = Some(id);
        for _ in 0..=self.by_id.len() {
            match at {
                None => return false,
                Some(id) if id == root => return true,
                Some(id) => {
                    at = self.get(id).and_then(|category| category.content.parent_id.as_deref())
                }
            }
        }
        false
    }

    /// The ids of those right below a category.
    pub(super) fn below<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        let contents = self.by_id.values().map(|category| &category.content);
        contents.filter(move |it| it.parent_id.as_deref() == Some(id)).map(|it| it.id.as_str())
    }

    /// The level at which a category may stand here.
    ///
    /// # Errors
    /// When it may not.
    pub(super) fn level_of(&self, category: &Category) -> Result<u32, Violation> {
        let Category { id, parent_id, .. } = category;
        if self.get(id).is_none() && self.by_id.len() >= CATEGORIES_MAX {
            let why = format!("there are {CATEGORIES_MAX} categories, and no more may be");
            return Err(Violation::new("$", why));
        }
        let Some(parent_id) = parent_id else {
            return Ok(1);
        };
        let wrong = |why: String| Err(Violation::new("$.parentId", why));
        let Some(parent) = self.get(parent_id) else {
            return wrong(format!("the parent category {parent_id} does not exist"));
        };
        if self.is_within(parent_id, id) {
            return wrong(format!("the category {id} cannot be its own ancestor"));
        }
        if parent.content.parent_id.is_some() {
            return wrong(format!("there are {LEVEL_MAX} levels, and {parent_id} is on the lower"));
        }
        if self.below(id).next().is_some() {
            return wrong(format!("there are {LEVEL_MAX} levels, and others are below {id}"));
        }
        Ok(LEVEL_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::category;
    use super::*;
    use crate::mall::facts::document::{Stamp, written};

    fn kept(id: &str, parent: Option<&str>) -> Kept<Category> {
        written(category(id, parent), Stamp::default()).expect("it can be written").0
    }

    #[test]
    fn a_subtree_is_walked_upwards_and_a_loop_ends() {
        let categories = Categories::of([
            kept("top", None),
            kept("below", Some("top")),
            kept("a", Some("b")),
            kept("b", Some("a")),
        ]);
        assert!(categories.is_within("below", "top"), "a child is within its parent");
        assert!(!categories.is_within("top", "below"), "a parent is not within its child");
        assert!(!categories.is_within("a", "top"), "a loop ends");
    }

    #[test]
    fn there_are_two_levels_and_no_loops() {
        let categories = Categories::of([
            kept("top", None),
            kept("other", None),
            kept("below", Some("top")),
            kept("lone", None),
        ]);
        let level = |id: &str, parent: Option<&str>| {
            categories.level_of(&category(id, parent)).map_err(|violation| violation.to_string())
        };
        assert_eq!((level("new", None), level("top", None)), (Ok(1), Ok(1)));
        assert_eq!((level("new", Some("top")), level("below", Some("lone"))), (Ok(2), Ok(2)));
        for (id, parent, part) in [
            ("new", "nowhere", "$.parentId: the parent category nowhere does not exist"),
            ("new", "below", "is on the lower"),
            ("top", "lone", "others are below top"),
            ("top", "top", "its own ancestor"),
            ("top", "below", "its own ancestor"),
        ] {
            let why = level(id, Some(parent)).expect_err(id);
            assert!(why.contains(part), "{id} below {parent}: {why}");
        }
    }
}
