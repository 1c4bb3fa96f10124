//! Which tokens are good no more, looked at with every request.
//!
//! A look takes no lock: an atomic for everybody, and a table that is almost always empty. A revocation
//! holds from the moment in which it is decided, before it is durable; whoever made it hears of it when
//! it is. A restart reads them from their documents.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::facts::document::{self, Kept, Stamp};
use super::facts::{EVERYBODY, REVOCATIONS, Revocation};
use super::{Editor, Failure, Mall};
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::ledger::PutDocument;

/// How many users' tokens can be revoked at one time: some 300 bytes each.
const USERS_MAX: usize = 100_000;

type Shown = Arc<Kept<Revocation>>;

/// All that were revoked.
pub(in crate::mall) struct Revocations {
    /// Before when everybody's were made; 0 for none.
    everybody_before_ms: AtomicU64,
    by_user: papaya::HashMap<Box<str>, TimeMs, foldhash::quality::RandomState>,
    /// The same, to be listed and changed; held by whoever changes them.
    all: Mutex<BTreeMap<String, Shown>>,
}

/// A page of revocations, by user.
pub(crate) struct RevocationsPage {
    pub(crate) revocations: Vec<Shown>,
    /// What the next page begins after; `None` at the end.
    pub(crate) next_after: Option<String>,
}

impl Revocations {
    /// What was revoked so far. One of a user that cannot be read is named in the log, and counts as
    /// one of all tokens of that user, until it is lifted or made anew.
    pub(in crate::mall) fn load(engine: &Engine) -> Self {
        let hasher = foldhash::quality::RandomState::default();
        let revocations = Self {
            everybody_before_ms: AtomicU64::new(0),
            by_user: papaya::HashMap::with_hasher(hasher),
            all: Mutex::default(),
        };
        for (name, body) in engine.documents(REVOCATIONS) {
            match document::read::<Revocation>(&body) {
                Ok(kept) => revocations.hold(&mut revocations.all.lock(), kept),
                Err(why) => {
                    tracing::error!(name, why, "a revocation of tokens cannot be read");
                    if name != EVERYBODY {
                        revocations.hold(&mut revocations.all.lock(), unreadable(name));
                    }
                }
            }
        }
        revocations
    }

    /// Whether a token of `user` is good no more. One that does not say when it was made counts as
    /// older than any revocation.
    fn has(&self, user: &str, issued_at: Option<TimeMs>) -> bool {
        // Acquire pairs with the release of `hold`: whoever was told of a revocation finds it.
        let everybody = self.everybody_before_ms.load(Ordering::Acquire);
        let own = self.by_user.pin().get(user).copied().unwrap_or(0);
        let before = everybody.max(own);
        before > 0 && issued_at.is_none_or(|at| at < before)
    }

    fn hold(&self, all: &mut BTreeMap<String, Shown>, kept: Kept<Revocation>) {
        let Revocation { user_id, issued_before, .. } = &kept.content;
        if user_id == EVERYBODY {
            self.everybody_before_ms.store(*issued_before, Ordering::Release);
        } else {
            self.by_user.pin().insert(user_id.as_str().into(), *issued_before);
        }
        all.insert(user_id.clone(), Arc::new(kept));
    }

    fn page(&self, after: Option<&str>, limit: usize) -> RevocationsPage {
        let all = self.all.lock();
        let from = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut rest = all.range::<str, _>(from).map(|(_, shown)| shown.clone());
        let revocations: Vec<Shown> = rest.by_ref().take(limit).collect();
        let last = rest.next().and(revocations.last());
        let next_after = last.map(|last| last.content.user_id.clone());
        RevocationsPage { revocations, next_after }
    }

    fn let_go(&self, all: &mut BTreeMap<String, Shown>, user: &str) {
        if user == EVERYBODY {
            self.everybody_before_ms.store(0, Ordering::Release);
        } else {
            self.by_user.pin().remove(user);
        }
        all.remove(user);
    }
}

/// What stands for a revocation that cannot be read.
fn unreadable(user_id: String) -> Kept<Revocation> {
    Kept::unwritten(Revocation { user_id, issued_before: TimeMs::MAX, reason: None })
}

/// A revocation as it is kept, and its bytes.
fn written(engine: &Engine, made: Revocation, by: &str) -> Result<(Kept<Revocation>, Vec<u8>)> {
    let stamp = Stamp { updated_at: Some(engine.now_ms()), updated_by: Some(by.to_owned()) };
    document::written(made, stamp)
}

impl Mall {
    /// Whether a token of `user`, made at `issued_at`, was revoked.
    pub(crate) fn has_revoked(&self, user: &str, issued_at: Option<TimeMs>) -> bool {
        self.shared.revocations.has(user, issued_at)
    }

    /// Revokes tokens at once, and for good. Where as much or more is revoked already, that stays.
    pub(crate) async fn revoke(
        &self,
        made: Revocation,
        editor: Editor,
    ) -> Result<Arc<Kept<Revocation>>, Failure> {
        let mall = self.clone();
        self.act(move || Ok(mall.revoke_now(made, &editor))).await?
    }

    fn revoke_now(
        &self,
        made: Revocation,
        editor: &Editor,
    ) -> Result<Arc<Kept<Revocation>>, Failure> {
        let (engine, revocations) = (self.engine(), &self.shared.revocations);
        let mut all = revocations.all.lock();
        let user = made.user_id.clone();
        let before = all.get(&user).cloned();
        if editor.has_acted(engine)? {
            return before.ok_or(Failure::RevocationNotFound);
        }
        if let Some(before) = before
            && before.content.issued_before >= made.issued_before
            && before.content.issued_before != TimeMs::MAX
        {
            // It may be another's, who was not answered yet.
            engine.decided().wait()?;
            return Ok(before);
        }
        if !all.contains_key(&user) && all.len() >= USERS_MAX {
            let why =
                "tokens of too many users are revoked: revoke those of everybody, and lift others";
            return Err(Error::overloaded(why).into());
        }
        let (kept, body) = written(engine, made, &editor.name)?;
        let put = PutDocument::new(REVOCATIONS, &user, &body);
        let ticket = engine.put_document(PutDocument { key: editor.key, ..put })?;
        revocations.hold(&mut all, kept);
        let shown = all.get(&user).cloned();
        drop(all);
        ticket.wait()?;
        tracing::warn!(by = editor.name, user, "tokens are revoked");
        shown.ok_or(Failure::RevocationNotFound)
    }

    /// Takes a revocation back: what it was about is good again, while it has not expired.
    pub(crate) async fn lift_revocation(&self, user: &str, editor: Editor) -> Result<(), Failure> {
        let (mall, user) = (self.clone(), user.to_owned());
        self.act(move || Ok(mall.lift_revocation_now(&user, &editor))).await?
    }

    fn lift_revocation_now(&self, user: &str, editor: &Editor) -> Result<(), Failure> {
        let (engine, revocations) = (self.engine(), &self.shared.revocations);
        let mut all = revocations.all.lock();
        if editor.has_acted(engine)? {
            return Ok(());
        }
        let before = all.get(user).ok_or(Failure::RevocationNotFound)?;
        // A removal has no words: who made it is in the document before it. It is not awaited, since
        // the removal is behind it in the journal.
        let (_, body) = written(engine, before.content.clone(), &editor.name)?;
        drop(engine.put_document(PutDocument::new(REVOCATIONS, user, &body))?);
        let removal = PutDocument { key: editor.key, ..PutDocument::remove(REVOCATIONS, user) };
        // What is good again must be so after a crash, too: this waits, and a revocation does not.
        engine.put_document(removal)?.wait()?;
        revocations.let_go(&mut all, user);
        tracing::warn!(by = editor.name, user, "a revocation of tokens is lifted");
        Ok(())
    }

    /// Whose tokens are revoked, by user.
    pub(crate) async fn revocations(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<RevocationsPage> {
        let mall = self.clone();
        // Whoever changes one may wait for the disk meanwhile.
        self.read(move || Ok(mall.shared.revocations.page(after.as_deref(), limit))).await
    }
}
