//! A request on its way to a handler: who asks, for what, and how to answer.
//!
//! A handler that names a [`UserCall`], a [`ServiceCall`], a [`StaffCall`], a [`LedgerCall`], an [`OperatorCall`], an
//! [`AdminCall`] or a [`MonitorCall`] cannot be reached without the check that makes one: only [`Unchecked`] makes calls, and it makes those only of a
//! good token. A [`LookerCall`] is had without.

use std::sync::Arc;

use hyper::Method;
use hyper::header::HeaderMap;
use serde::Serialize;

use super::access::{self, Access, Grant};
use super::auth::{Identity, Role};
use super::budget::{Charge, Payer};
use super::error::{ApiError, Code};
use super::format::Format;
use super::gate::{Admitted, Asker};
use super::guests::Address;
use super::lane::Lanes;
use super::rates::Counted;
use super::reply::{HttpResponse, success};
use super::row::Row;
use super::visit::{Offer, Visit};
use super::{App, etag, key, query};
use crate::base::IdempotencyKey;
use crate::base::asked::Asked;
use crate::base::error::Result;
use crate::mall::Seen;

/// What a request writes besides its body, in bytes: its event, and its rows in history.
const RECORD_BYTES: u64 = 512;
/// How many shares of the idempotency window a program has that asks in its own name.
const LEDGER_SHARES: u128 = 64;

/// A request that found its route. Nothing is known of its caller.
#[derive(Clone, Copy)]
pub(super) struct Unchecked<'a> {
    pub(super) app: &'a App,
    pub(super) format: Format,
    pub(super) visit: Visit,
    /// What it was counted against so far.
    pub(super) counted: &'a Counted,
    /// What the log tells of it.
    pub(super) asked: &'a Asked,
    pub(super) headers: &'a HeaderMap,
    /// How much memory it may take without being counted, in bytes.
    pub(super) small_bytes: usize,
    pub(super) route: &'static Row,
    /// The path as it is spelled.
    pub(super) spelled: &'a str,
    pub(super) query: Option<&'a str>,
    /// What the path has for the parameters of its route, in their order, decoded.
    pub(super) parameters: &'a [&'a str],
}

/// A request that may be answered. `Who` says what is known of its caller, `N` how many parameters
/// its path has.
pub(super) struct Call<'a, Who, const N: usize = 0> {
    pub(super) app: &'a App,
    pub(super) format: Format,
    /// The parameters of the path, decoded.
    pub(super) path: [&'a str; N],
    request: Unchecked<'a>,
    who: Who,
    /// It is held until the request is answered.
    admitted: Admitted<'a>,
}

/// Open to every caller.
pub(super) type PublicCall<'a, const N: usize = 0> = Call<'a, Anybody, N>;
/// From a user, or from a service that acts for one: its token is good.
pub(super) type UserCall<'a, const N: usize = 0> = Call<'a, User, N>;
/// From a service that acts for a user: its token is good, and has the role.
pub(super) type ServiceCall<'a, const N: usize = 0> = Call<'a, Service, N>;
/// From a service, an operator or an administrator, for users that are named line by line: its token
/// is good, and has the role.
pub(super) type StaffCall<'a, const N: usize = 0> = Call<'a, Staff, N>;
/// From a service or an administrator that asks in its own name: its token is good, and has the role.
pub(super) type LedgerCall<'a, const N: usize = 0> = Call<'a, Ledger, N>;
/// From an operator, or an administrator: its token is good, and has the role.
pub(super) type OperatorCall<'a, const N: usize = 0> = Call<'a, Operator, N>;
/// From an administrator: its token is good, and has the role.
pub(super) type AdminCall<'a, const N: usize = 0> = Call<'a, Admin, N>;

/// From whatever watches the server, or from an operator or an administrator: its token is good, and has
/// the role. Who it is makes no difference.
pub(super) type MonitorCall<'a, const N: usize = 0> = Call<'a, Monitor, N>;

/// From anybody; where a good token says who it is, that is known, and it counts as a user's.
pub(super) type LookerCall<'a, const N: usize = 0> = Call<'a, Looker, N>;

pub(super) struct Anybody(());
pub(super) struct Looker(Option<Arc<Identity>>);
pub(super) struct User(Arc<Identity>);
pub(super) struct Service(Arc<Identity>);
pub(super) struct Staff(Arc<Identity>);
pub(super) struct Ledger(Arc<Identity>);
pub(super) struct Operator(Arc<Identity>);
pub(super) struct Admin(Arc<Identity>);
pub(super) struct Monitor(());

/// A caller who could say who it is.
pub(super) trait Known {
    fn identity(&self) -> &Arc<Identity>;
}

/// A caller of whom it may be known who it is.
pub(super) trait MaybeKnown {
    fn known(&self) -> Option<&Arc<Identity>>;
}

impl<Who: Known> MaybeKnown for Who {
    fn known(&self) -> Option<&Arc<Identity>> {
        Some(self.identity())
    }
}

impl MaybeKnown for Looker {
    fn known(&self) -> Option<&Arc<Identity>> {
        self.0.as_ref()
    }
}

impl Known for User {
    fn identity(&self) -> &Arc<Identity> {
        &self.0
    }
}

impl Known for Service {
    fn identity(&self) -> &Arc<Identity> {
        &self.0
    }
}

impl Known for Staff {
    fn identity(&self) -> &Arc<Identity> {
        &self.0
    }
}

impl Known for Ledger {
    fn identity(&self) -> &Arc<Identity> {
        &self.0
    }
}

impl Known for Operator {
    fn identity(&self) -> &Arc<Identity> {
        &self.0
    }
}

impl Known for Admin {
    fn identity(&self) -> &Arc<Identity> {
        &self.0
    }
}

impl<'a> Unchecked<'a> {
    pub(super) fn public<const N: usize>(self) -> Result<PublicCall<'a, N>, ApiError> {
        let mut admitted = Admitted::Free;
        if !self.route.is_watched() {
            self.count_address()?;
            admitted = self.app.gate.admit(self.nobody())?;
        }
        Ok(self.call(Anybody(()), admitted))
    }

    /// Whoever has no good token is answered all the same.
    pub(super) fn looker<const N: usize>(self) -> Result<LookerCall<'a, N>, ApiError> {
        if self.looks_as().is_none() {
            return self.anybody();
        }
        let UserCall { who: User(caller), admitted, .. } = self.user::<N>()?;
        Ok(self.call(Looker(Some(caller)), admitted))
    }

    /// For what everybody gets alike: whose token comes along makes no difference, and counts nothing.
    pub(super) fn anybody<const N: usize>(self) -> Result<LookerCall<'a, N>, ApiError> {
        let PublicCall { admitted, .. } = self.public::<N>()?;
        Ok(self.call(Looker(None), admitted))
    }

    /// Who looks at a page, where a good token says so. Nothing is counted.
    pub(super) fn looks_as(&self) -> Option<Arc<Identity>> {
        access::caller(Access::User, self.bearer().ok()?, self.headers).ok()
    }

    pub(super) fn user<const N: usize>(self) -> Result<UserCall<'a, N>, ApiError> {
        let (caller, admitted) = self.caller(Access::User)?;
        self.app.watching.saw(caller.user.id(), self.app.running.now_ms());
        Ok(self.call(User(caller), admitted))
    }

    pub(super) fn service<const N: usize>(self) -> Result<ServiceCall<'a, N>, ApiError> {
        let (caller, admitted) = self.caller(Access::Service)?;
        self.app.watching.saw(caller.user.id(), self.app.running.now_ms());
        Ok(self.call(Service(caller), admitted))
    }

    pub(super) fn staff<const N: usize>(self) -> Result<StaffCall<'a, N>, ApiError> {
        let (caller, admitted) = self.caller(Access::Staff)?;
        Ok(self.call(Staff(caller), admitted))
    }

    pub(super) fn ledger<const N: usize>(self) -> Result<LedgerCall<'a, N>, ApiError> {
        let (caller, admitted) = self.caller(Access::Ledger)?;
        Ok(self.call(Ledger(caller), admitted))
    }

    pub(super) fn operator<const N: usize>(self) -> Result<OperatorCall<'a, N>, ApiError> {
        let (caller, admitted) = self.caller(Access::Operator)?;
        Ok(self.call(Operator(caller), admitted))
    }

    pub(super) fn admin<const N: usize>(self) -> Result<AdminCall<'a, N>, ApiError> {
        let (caller, admitted) = self.caller(Access::Admin)?;
        Ok(self.call(Admin(caller), admitted))
    }

    pub(super) fn monitor<const N: usize>(self) -> Result<MonitorCall<'a, N>, ApiError> {
        let (_, admitted) = self.caller(Access::Monitor)?;
        Ok(self.call(Monitor(()), admitted))
    }

    fn caller(&self, access: Access) -> Result<(Arc<Identity>, Admitted<'a>), ApiError> {
        let bearer = self.bearer();
        // Whoever is trusted, or acts for many, asks as much as it likes. Guesses count.
        if bearer.as_ref().map_or(true, |bearer| bearer.role == Role::User) {
            self.count_address()?;
        }
        if bearer.is_err() {
            self.app.gate.admit(self.nobody())?;
        }
        let caller = access::caller(access, bearer?, self.headers)?;
        let _ = self.asked.user.set(caller.user.id().into());
        let admitted = self.app.gate.admit(self.asker(access, &caller))?;
        // What writes is counted once it is read.
        let only_reads = access == Access::User && self.route.method == Method::GET;
        if only_reads && !caller.role.is_trusted() {
            let charged = self.app.rates.charge_read(caller.user.id(), self.counted);
            charged.map_err(ApiError::rate_limited)?;
        }
        Ok((caller, admitted))
    }

    /// Whose share of the server the request takes.
    fn asker<'c>(&self, access: Access, caller: &'c Identity) -> Asker<'c> {
        match caller.role {
            Role::User => Asker::User(caller.user.id(), self.bounded_address()),
            Role::Service => match access.grant(Role::Service) {
                Grant::ForUser => Asker::Served(caller.user.id()),
                Grant::Own | Grant::Nothing => Asker::Program,
            },
            Role::Operator | Role::Admin | Role::Monitor => Asker::Operator,
        }
    }

    /// The same of whoever has no good token.
    fn nobody(&self) -> Asker<'static> {
        match self.visit.offer {
            Offer::Everything | Offer::Users => Asker::Nobody(self.bounded_address()),
            Offer::Operators => Asker::Operator,
        }
    }

    /// Where it comes from, where that tells clients apart.
    fn bounded_address(&self) -> Option<Address> {
        self.visit.is_bounded().then_some(self.visit.address)
    }

    /// Whose token it has, if it is good now.
    pub(super) fn bearer(&self) -> Result<Arc<Identity>, ApiError> {
        self.app.bearer(self.headers, self.route.method == Method::GET)
    }

    fn count_address(&self) -> Result<(), ApiError> {
        if !self.visit.is_bounded() {
            return Ok(());
        }
        let charged = self.app.rates.charge_address(self.visit.address, self.counted);
        charged.map_err(|wait| ApiError::rate_limited(wait).detail("too many from one address"))
    }

    fn call<Who, const N: usize>(self, who: Who, admitted: Admitted<'a>) -> Call<'a, Who, N> {
        // The router found as many as the route's path has, which is how many its handler takes.
        let path = std::array::from_fn(|at| self.parameters.get(at).copied().unwrap_or_default());
        Call { app: self.app, format: self.format, path, request: self, who, admitted }
    }
}

impl<const N: usize> PublicCall<'_, N> {
    /// Who asks, or for whom, where a good token says so. Whoever has none is answered all the same.
    pub(super) fn signed_in(&self) -> Option<Arc<Identity>> {
        self.request.looks_as()
    }
}

impl<'a, Who, const N: usize> Call<'a, Who, N> {
    /// The request as it came.
    pub(super) fn request(&self) -> &Unchecked<'a> {
        &self.request
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.request.headers
    }

    /// By which door it came, and from where.
    pub(super) fn visit(&self) -> Visit {
        self.request.visit
    }

    pub(super) fn method(&self) -> &Method {
        &self.request.route.method
    }

    /// Which writing of a document the client has seen, as its `If-Match` says.
    pub(super) fn seen(&self) -> Result<Option<Seen>, ApiError> {
        etag::seen(self.request.headers)
    }

    /// The same, where a client has to say it.
    pub(super) fn must_have_seen(&self) -> Result<Seen, ApiError> {
        self.seen()?.ok_or_else(|| ApiError::new(Code::PreconditionRequired))
    }

    pub(super) fn success<T: Serialize>(&self, data: &T) -> HttpResponse {
        success(self.format, data, self.app.mall.now_ms())
    }

    /// The decoded pairs of the query.
    pub(super) fn query(&self) -> Result<Vec<(String, String)>, ApiError> {
        query::pairs(self.request.query)
    }

    /// Refuses a query where there is nothing to ask.
    pub(super) fn no_query(&self) -> Result<(), ApiError> {
        match self.query()?.first() {
            None => Ok(()),
            Some((name, _)) => Err(query::unknown(name)),
        }
    }

    /// Where its long work is done.
    pub(super) fn lanes(&self) -> &Lanes {
        match self.admitted {
            Admitted::Free | Admitted::User(_) => &self.app.lanes,
            Admitted::Operator(_) => &self.app.operators_lanes,
        }
    }

    /// Counts memory for this request, as long as the charge lives, if it is worth counting.
    pub(super) fn charge(&self, bytes: usize) -> Result<Option<Charge>, ApiError> {
        let Unchecked { app, headers, visit, small_bytes, .. } = self.request;
        if bytes <= small_bytes {
            return Ok(None);
        }
        charge(app, headers, visit, bytes).map(Some)
    }
}

impl<Who: Known, const N: usize> Call<'_, Who, N> {
    pub(super) fn identity(&self) -> &Identity {
        self.who.identity()
    }

    /// The request's `Idempotency-Key`, in the scope of the caller and of what method and path mean:
    /// however path and key are spelled, one request has one key.
    pub(super) fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, ApiError> {
        let mut values = self.request.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(ApiError::invalid("there is more than one Idempotency-Key"));
        }
        let spelled = value
            .to_str()
            .map_err(|_| ApiError::invalid("an Idempotency-Key is printable ASCII"))?;
        let (path, meant) = (self.path_meant(), key::meaning(spelled)?);
        let named = self.key_at(&path, &meant)?;
        let is_as_meant = path == self.request.spelled && meant == spelled;
        if is_as_meant || self.request.route.access == Access::Ledger {
            return Ok(Some(named));
        }
        // Up to 0.1.0 the spelling was the key: who retries a request of then, as it was spelled,
        // hears its answer.
        let before = self.key_at(self.request.spelled, spelled).ok();
        let known =
            before.map_or(Ok(None), |before| self.app.mall.engine().first_answer(before))?;
        Ok(before.filter(|_| known.is_some()).or(Some(named)))
    }

    /// A key that came by another way than the header, in the same scope.
    ///
    /// # Errors
    /// INVALID_REQUEST when it is none.
    pub(super) fn key_named(&self, key: &str) -> Result<IdempotencyKey, ApiError> {
        Ok(self.key_at(&self.path_meant(), key)?)
    }

    /// The path, however it was spelled.
    fn path_meant(&self) -> String {
        self.request.route.path_with(&self.path)
    }

    fn key_at(&self, path: &str, key: &str) -> Result<IdempotencyKey> {
        let (route, identity) = (self.request.route, self.identity());
        let user = identity.user.id();
        let scope = route.idempotency_scope(user, path);
        if route.access == Access::Ledger {
            return ledger_key(&scope, key);
        }
        let key = IdempotencyKey::new(&scope, key)?;
        // A user has one share of the window over all paths, whoever acts for it; an operator, who is
        // trusted, one for each path.
        Ok(if identity.role.is_trusted() { key } else { key.owned_by(user) })
    }
}

impl<Who: MaybeKnown, const N: usize> Call<'_, Who, N> {
    /// Who asks, where that is known.
    pub(super) fn known(&self) -> Option<&Arc<Identity>> {
        self.who.known()
    }

    /// Counts a request that may write something, and has a body of this many bytes. Operators may
    /// do as they like.
    pub(super) fn count_write(&self, body_bytes: usize) -> Result<(), ApiError> {
        self.count_writes(body_bytes, 1)
    }

    /// The same of a request that may write so many records.
    pub(super) fn count_writes(&self, body_bytes: usize, records: usize) -> Result<(), ApiError> {
        let Some(identity) = self.known() else {
            // Its address was counted.
            return Ok(());
        };
        if identity.role.is_trusted() || self.request.route.access == Access::Ledger {
            return Ok(());
        }
        let bytes = body_bytes as u64 + records as u64 * RECORD_BYTES;
        let charged = self.app.rates.charge(identity.user.id(), bytes, self.request.counted);
        charged.map_err(ApiError::rate_limited)
    }
}

/// A key of a program that asks in its own name. It has not one share of the window, which is meant
/// for a person, but [`LEDGER_SHARES`]: which of them a key counts in follows from the key.
fn ledger_key(scope: &str, meant: &str) -> Result<IdempotencyKey> {
    let key = IdempotencyKey::new(scope, meant)?;
    let caller = scope.split(' ').next().unwrap_or_default();
    let share = key.number() % LEDGER_SHARES;
    Ok(key.owned_by(&format!("{caller} ledger {share}")))
}

/// Counts memory for whoever has sent these headers.
pub(super) fn charge(
    app: &App,
    headers: &HeaderMap,
    visit: Visit,
    bytes: usize,
) -> Result<Charge, ApiError> {
    // Whose share of the memory it takes.
    let (payer, is_operator) = match app.bearer(headers, true) {
        // A service that names nobody pays for itself.
        Ok(bearer) => {
            let caller = access::caller(Access::User, bearer.clone(), headers).unwrap_or(bearer);
            (Payer::User(caller.user.id().into()), caller.role.is_trusted())
        }
        Err(_) => (Payer::Address(visit.address), false),
    };
    let budget = match visit.offer {
        Offer::Everything | Offer::Users if !is_operator => &app.budget,
        Offer::Everything | Offer::Users | Offer::Operators => &app.operators_budget,
    };
    budget.charge(&payer, bytes)
}
