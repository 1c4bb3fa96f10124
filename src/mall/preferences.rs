//! What users say that they like: their preferences and favourites, each user's in a document.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::facts::document::{self, Kept, Stamp};
use super::facts::{FAVOURITES_MAX, Favourite, PREFERENCES, Preferences};
use super::fields::Tastes;
use super::model::{Violation, member};
use super::{Editor, Failure, Mall, Seen, User};
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::ledger::PutDocument;

/// How many users may have said something. A ledger has room for some more documents than that, and
/// the catalogue must not want for it.
const USERS_MAX: usize = 100_000;

/// What is held while a user's document is read and written.
pub(in crate::mall) struct AllPreferences {
    /// One change at a time; it does not wait for the disk.
    writing: Mutex<()>,
    /// How many users have said something. Changed while `writing` is held.
    users: AtomicUsize,
}

/// A document as it is now, before the disk has it.
struct Decided<T> {
    now: T,
    ticket: crate::engine::Ticket<()>,
}

impl AllPreferences {
    pub(in crate::mall) fn load(engine: &Engine) -> Self {
        let users = AtomicUsize::new(engine.documents_count(PREFERENCES));
        Self { writing: Mutex::default(), users }
    }
}

type Outcome<T> = std::result::Result<T, Failure>;

impl Mall {
    /// What a user likes, as it has said; nothing for who has said nothing.
    ///
    /// # Errors
    /// `Corrupt` when its document cannot be read, and what the engine reports.
    pub(crate) fn preferences(&self, user: &User) -> Result<Kept<Preferences>> {
        self.check_alive()?;
        self.preferences_of(user.id())
    }

    fn preferences_of(&self, user: &str) -> Result<Kept<Preferences>> {
        let Some(body) = self.engine().document(PREFERENCES, user) else {
            let user_id = user.to_owned();
            return Ok(Kept::unwritten(Preferences { user_id, ..Preferences::default() }));
        };
        document::read(&body).map_err(|why| {
            Error::corrupt(format!("the preferences of {user} cannot be read: {why}"))
        })
    }

    /// Replaces what a user says of categories and prices; its favourites stay.
    pub(crate) async fn set_tastes(
        &self,
        user: &User,
        tastes: Tastes,
        seen: Seen,
        editor: Editor,
    ) -> Outcome<Kept<Preferences>> {
        let shelf = self.shelf();
        for id in tastes.category_weights.keys() {
            if shelf.categories.get(id).is_none() {
                let why = format!("the category {id} does not exist");
                let violation = Violation::new(member("$.categoryWeights", id), why);
                return Err(Error::from(violation).into());
            }
        }
        let make = move |before: &Kept<Preferences>| {
            if !seen.has(before.tag) {
                return Err(Failure::Changed);
            }
            let Tastes { category_weights, price_sensitivity } = tastes;
            Ok(Preferences { category_weights, price_sensitivity, ..before.content.clone() })
        };
        self.change_preferences(user, editor, make).await
    }

    /// Adds a product that is on the shelf to a user's favourites. One that is among them stays where
    /// it is.
    pub(crate) async fn add_favourite(
        &self,
        user: &User,
        product: &str,
        editor: Editor,
    ) -> Outcome<Kept<Preferences>> {
        self.product(product)?;
        let (product_id, added_at) = (product.to_owned(), self.now_ms());
        let make = move |before: &Kept<Preferences>| {
            let mut likes = before.content.clone();
            if !likes.has_favourite(&product_id) {
                if likes.favourites.len() >= FAVOURITES_MAX {
                    return Err(Failure::TooManyFavourites);
                }
                likes.favourites.push(Favourite { product_id, added_at });
            }
            Ok(likes)
        };
        self.change_preferences(user, editor, make).await
    }

    /// Takes a product out of a user's favourites, whatever has become of the product.
    pub(crate) async fn remove_favourite(
        &self,
        user: &User,
        product: &str,
        editor: Editor,
    ) -> Outcome<Kept<Preferences>> {
        let product = product.to_owned();
        let make = move |before: &Kept<Preferences>| {
            let mut likes = before.content.clone();
            likes.favourites.retain(|it| it.product_id != product);
            Ok(likes)
        };
        self.change_preferences(user, editor, make).await
    }

    /// Erases all that a user has said, and what it looked at; whether there was anything.
    pub(crate) async fn erase_preferences(&self, user: &User, editor: Editor) -> Outcome<bool> {
        let (mall, user) = (self.clone(), user.id().to_owned());
        self.act(move || Ok(mall.erase_preferences_now(&user, &editor))).await?
    }

    fn erase_preferences_now(&self, user: &str, editor: &Editor) -> Outcome<bool> {
        let engine = self.engine();
        if editor.has_acted(engine)? {
            return Ok(true);
        }
        // Before the rest, whose removal has the key: a retry finds whatever is left.
        let had_views = self.forget_views(user)?;
        let writing = self.shared.preferences.writing.lock();
        // What cannot be read can be erased.
        let Decided { now: erased, ticket } = match engine.document(PREFERENCES, user) {
            None => Decided { now: false, ticket: engine.decided() },
            Some(_) => Decided { now: true, ticket: self.forget_preferences(user, editor)? },
        };
        drop(writing);
        ticket.wait()?;
        Ok(had_views || erased)
    }

    /// Makes a user's preferences others. What changes nothing writes nothing; where nothing is left,
    /// there is no document.
    async fn change_preferences(
        &self,
        user: &User,
        editor: Editor,
        make: impl FnOnce(&Kept<Preferences>) -> Outcome<Preferences> + Send + 'static,
    ) -> Outcome<Kept<Preferences>> {
        let (mall, user) = (self.clone(), user.id().to_owned());
        self.act(move || {
            if editor.has_acted(mall.engine())? {
                return Ok(Ok(mall.preferences_of(&user)?));
            }
            let decided = mall.decide_preferences(&user, &editor, make);
            Ok(match decided {
                Ok(Decided { now, ticket }) => ticket.wait().map(|()| now).map_err(Failure::from),
                Err(failure) => Err(failure),
            })
        })
        .await?
    }

    fn decide_preferences(
        &self,
        user: &str,
        editor: &Editor,
        make: impl FnOnce(&Kept<Preferences>) -> Outcome<Preferences>,
    ) -> Outcome<Decided<Kept<Preferences>>> {
        let (engine, all) = (self.engine(), &self.shared.preferences);
        let _writing = all.writing.lock();
        let before = self.preferences_of(user)?;
        let made = make(&before)?;
        if made == before.content {
            // It may be another's, who was not answered yet.
            return Ok(Decided { now: before, ticket: engine.decided() });
        }
        if made.is_empty() {
            let ticket = self.forget_preferences(user, editor)?;
            return Ok(Decided { now: Kept::unwritten(made), ticket });
        }
        let is_first = before.content.is_empty();
        if is_first && all.users.load(Ordering::Relaxed) >= USERS_MAX {
            let why = format!("{USERS_MAX} users have preferences already");
            return Err(Error::overloaded(why).into());
        }
        let updated_by = Some(editor.name.clone());
        let stamp = Stamp { updated_at: Some(engine.now_ms()), updated_by };
        let (now, body) = document::written(made, stamp)?;
        let put = PutDocument::new(PREFERENCES, user, &body);
        let ticket = engine.put_document(PutDocument { key: editor.key, ..put })?;
        if is_first {
            all.users.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Decided { now, ticket })
    }

    /// Removes the document that a user has. Called while `writing` is held.
    fn forget_preferences(&self, user: &str, editor: &Editor) -> Result<crate::engine::Ticket<()>> {
        let removal = PutDocument { key: editor.key, ..PutDocument::remove(PREFERENCES, user) };
        let ticket = self.engine().put_document(removal)?;
        self.shared.preferences.users.fetch_sub(1, Ordering::Relaxed);
        Ok(ticket)
    }
}
