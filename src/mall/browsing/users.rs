//! What each user looked at last.

use std::collections::{BTreeSet, HashMap};

use super::{UNWRITTEN_MAX, USERS_MAX, write};
use crate::base::TimeMs;
use crate::base::error::Result;
use crate::engine::Engine;
use crate::ledger::PutDocument;
use crate::mall::facts::document;
use crate::mall::facts::{BROWSED, BROWSED_MAX, Browsed, Look};

/// The users of whom it is kept what they looked at.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// When each looked at something last, and the same by that time: who looked longest ago is
    /// forgotten first.
    last_at: HashMap<Box<str>, TimeMs>,
    by_age: BTreeSet<(TimeMs, Box<str>)>,
    unwritten: HashMap<Box<str>, Browsed>,
}

impl Users {
    pub(super) fn load(engine: &Engine) -> Self {
        let mut users = Self::default();
        for (user, body) in engine.documents(BROWSED) {
            users.looked(&user, read(&user, &body).last_at());
        }
        users
    }

    /// What a user looked at last.
    pub(super) fn get(&self, engine: &Engine, user: &str) -> Browsed {
        match self.unwritten.get(user) {
            Some(browsed) => browsed.clone(),
            None => written(engine, user),
        }
    }

    /// The same, to be changed, and written later; `None` where too much waits to be written.
    pub(super) fn unwritten(&mut self, engine: &Engine, user: &str) -> Option<&mut Browsed> {
        if !self.unwritten.contains_key(user) && self.unwritten.len() >= UNWRITTEN_MAX {
            return None;
        }
        Some(self.unwritten.entry(user.into()).or_insert_with(|| written(engine, user)))
    }

    /// A user looked at something.
    pub(super) fn looked(&mut self, user: &str, at: TimeMs) {
        if let Some(before) = self.last_at.insert(user.into(), at) {
            self.by_age.remove(&(before, user.into()));
        }
        self.by_age.insert((at, user.into()));
    }

    /// Forgets what a user looked at; whether anything was known.
    pub(super) fn forget(&mut self, user: &str) -> bool {
        self.unwritten.remove(user);
        let last_at = self.last_at.remove(user);
        last_at.is_some_and(|at| self.by_age.remove(&(at, user.into())))
    }

    /// Writes what changed, and removes what is of too many.
    pub(super) fn write(&mut self, engine: &Engine) -> Result<()> {
        while self.last_at.len() > USERS_MAX
            && let Some((_, user)) = self.by_age.pop_first()
        {
            drop(engine.put_document(PutDocument::remove(BROWSED, &user))?);
            self.last_at.remove(&user);
            self.unwritten.remove(&user);
        }
        for (user, browsed) in &self.unwritten {
            write(engine, BROWSED, user, browsed)?;
        }
        self.unwritten.clear();
        Ok(())
    }
}

/// Adds a product to what a user looked at.
pub(super) fn look(browsed: &mut Browsed, product: &str, at: TimeMs) {
    browsed.products.retain(|look| look.id != product);
    browsed.products.push(Look { id: product.to_owned(), at });
    let beyond = browsed.products.len().saturating_sub(BROWSED_MAX);
    browsed.products.drain(..beyond);
}

fn written(engine: &Engine, user: &str) -> Browsed {
    let nothing = || Browsed { user_id: user.to_owned(), ..Browsed::default() };
    engine.document(BROWSED, user).map_or_else(nothing, |body| read(user, &body))
}

/// What a document says. One that cannot be read says nothing, and is written anew.
fn read(user: &str, body: &[u8]) -> Browsed {
    document::read::<Browsed>(body).map(|kept| kept.content).unwrap_or_else(|why| {
        tracing::warn!(user, why, "what a user looked at cannot be read, and begins anew");
        Browsed { user_id: user.to_owned(), ..Browsed::default() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;

    #[test]
    fn a_user_has_the_newest_products_each_once() {
        let mut browsed = Browsed::default();
        for at in 0..50 {
            look(&mut browsed, &format!("thing{}", at % 25), at);
        }
        let ids: Vec<&str> = browsed.products.iter().map(|look| &*look.id).collect();
        assert_eq!((ids.len(), ids[0], ids[19]), (BROWSED_MAX, "thing5", "thing24"));
        look(&mut browsed, "thing5", 99);
        assert_eq!((browsed.products.len(), browsed.last_at()), (BROWSED_MAX, 99));
    }

    #[test]
    fn who_looked_longest_ago_is_forgotten_and_unwritten_looks_are_bounded() {
        let engine = Engine::in_memory().open().expect("an engine");
        let mut users = Users::default();
        for at in 0..UNWRITTEN_MAX as u64 {
            let user = format!("user{at}");
            look(users.unwritten(&engine, &user).expect("there is room"), "tea", at);
            users.looked(&user, at);
        }
        assert!(users.unwritten(&engine, "one more").is_none());
        assert!(users.unwritten(&engine, "user0").is_some(), "who waits already has its place");
        users.write(&engine).expect("they are written");
        assert_eq!(engine.documents(BROWSED).len(), UNWRITTEN_MAX);
        for at in 0..USERS_MAX as u64 {
            users.looked(&format!("other{at}"), 1_000_000 + at);
        }
        users.looked("user7", 2_000_000);
        users.write(&engine).expect("they are written");
        let left: Vec<String> =
            engine.documents(BROWSED).into_iter().map(|(user, _)| user).collect();
        assert_eq!(left, ["user7"]);
        assert_eq!(users.last_at.len(), USERS_MAX);
        assert_eq!(Users::load(&engine).last_at.get("user7"), Some(&7), "as it is written");
        assert!(users.forget("user7") && !users.forget("user7"));
    }
}
