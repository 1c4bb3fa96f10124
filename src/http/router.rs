//! From a request to the handler that answers it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::{Body, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Version};
use smallvec::SmallVec;

use super::budget::Charge;
use super::call::{self, Unchecked};
use super::error::{ApiError, Code};
use super::format::{self, Format};
use super::metrics::Outcome;
use super::rates::Counted;
use super::reply::{Answer, HttpResponse, Telling, failure};
use super::route::{ROUTES, Route};
use super::visit::{Offer, Visit};
use super::{App, budget, media, query, request_id};
use crate::base::asked::{self, Asked};
use crate::base::error::Result;
use crate::base::spans;
use crate::mall::Asking;

/// As many parameters as most paths have at most.
const PARAMETERS: usize = 2;

/// What the table of routes makes of paths.
pub(super) struct Router {
    paths: matchit::Router<Methods>,
}

/// The routes of one path, each with a method of its own, and with its place in the table.
struct Methods {
    routes: Vec<(usize, &'static Route)>,
    /// For 405: what would be allowed.
    allow: HeaderValue,
}

impl Router {
    pub(super) fn new(table: impl Iterator<Item = &'static Route>) -> Self {
        let mut by_path: BTreeMap<&str, Vec<(usize, &'static Route)>> = BTreeMap::new();
        for (place, route) in table.enumerate() {
            by_path.entry(route.row.path).or_default().push((place, route));
        }
        let mut paths = matchit::Router::new();
        for (path, routes) in by_path {
            let allow = HeaderValue::try_from(allow(&routes));
            let allow = allow.expect("names of methods make a header");
            let added = paths.insert(path, Methods { routes, allow });
            added.expect("the paths in the table do not collide");
        }
        Self { paths }
    }

    /// The route of a request. What is not offered is not found, as if it were not there: who is
    /// not let in by this door learns nothing of what is behind the other.
    fn find<'p>(
        &self,
        offer: Offer,
        method: &Method,
        path: &'p str,
    ) -> Result<Found<'_, 'p>, ApiError> {
        let found = self.paths.at(path).ok();
        // The routes of one path are offered alike.
        let found =
            found.filter(|it| it.value.routes.iter().any(|(_, it)| it.row.is_offered(offer)));
        let found = found.ok_or_else(|| ApiError::new(Code::NotFound))?;
        // A handler of GET answers HEAD, too: the body is left out where the answer is written.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let methods = found.value;
        let route = methods.routes.iter().find(|(_, route)| route.row.method == *method);
        let (place, route) =
            *route.ok_or_else(|| ApiError::method_not_allowed(methods.allow.clone()))?;
        Ok(Found { place, route, encoded: found.params })
    }
}

/// A route with its place in the table, and with the parameters of a path, still encoded.
#[derive(Debug)]
struct Found<'r, 'p> {
    place: usize,
    route: &'static Route,
    encoded: matchit::Params<'r, 'p>,
}

/// The methods of the routes of one path, as `Allow` names them.
fn allow(routes: &[(usize, &Route)]) -> String {
    let mut names = Vec::new();
    for (_, route) in routes {
        names.push(route.row.method.as_str());
        if route.row.method == Method::GET {
            names.push(Method::HEAD.as_str());
        }
    }
    names.join(", ")
}

/// Answers a request of `visit`, whatever it is. With a large answer comes what it is charged.
pub(super) async fn handle(
    app: &App,
    visit: Visit,
    request: Request<Incoming>,
) -> (HttpResponse, Option<Charge>) {
    let (mut head, body) = request.into_parts();
    name_host(&mut head);
    let asked = Arc::new(app.ids.of(&head.headers));
    let began = Instant::now();
    let answering = async {
        let (response, charge) = told(app, visit, &asked, &head, body).await;
        app.request_log.tell(began, &head.method, &response);
        tell_span(&asked, &head.method, response.status());
        if let Some(asking) = asked.operation.get().and_then(|(_, path)| asking(path)) {
            app.mall.count_answer(asking, response.status().as_u16(), began.elapsed());
        }
        (response, charge)
    };
    let (mut response, charge) = asked::within(asked.clone(), answering).await;
    request_id::say(&asked.id, response.headers_mut());
    (response, charge)
}

/// Says on the span of a request how it was answered.
fn tell_span(asked: &Asked, method: &Method, status: StatusCode) {
    if asked.operation.get().is_none() {
        spans::found(&asked.span, known(method), None);
    }
    spans::answered(&asked.span, status.as_u16(), asked.user.get().map(|user| &**user));
}

/// A method by its name, as the conventions of OpenTelemetry have it: there are few, whatever clients
/// send.
fn known(method: &Method) -> &'static str {
    let all = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
    ];
    all.into_iter().find(|(it, _)| it == method).map_or("_OTHER", |(_, name)| name)
}

/// What a route is for, in reports; `None` of one that nobody waits for.
fn asking(path: &str) -> Option<Asking> {
    let begins = |start: &str| path.starts_with(start);
    let all = [
        ("/api/mall/exchange", Asking::Exchange),
        ("/api/mall/orders", Asking::Orders),
        ("/api/mall/", Asking::Catalogue),
        ("/api/points/", Asking::Points),
        ("/api/admin/", Asking::Operators),
        ("/v1/", Asking::Ledger),
    ];
    all.into_iter().find(|(start, _)| begins(start)).map(|(_, asking)| asking)
}

/// The answer to a request, or what went wrong with it.
async fn told(
    app: &App,
    visit: Visit,
    asked: &Asked,
    head: &Parts,
    body: Incoming,
) -> (HttpResponse, Option<Charge>) {
    let mut under_way = app.watching.begin();
    let found = app.router.find(visit.offer, &head.method, head.uri.path());
    if let Ok(found) = &found {
        under_way.found(found.place);
    }
    let is_page = found.as_ref().is_ok_and(|found| found.place >= ROUTES.len());
    let path = found.as_ref().map_or("", |found| found.route.row.path);
    let counted = Counted::default();
    let (format, answer) = match Format::of_answer(&head.headers) {
        Ok(format) => {
            (format, answer(app, found, format, visit, (&counted, asked), head, body).await)
        }
        Err(_) if is_page || media::is_taken(path, &head.headers) => (
            Format::Json,
            answer(app, found, Format::Json, visit, (&counted, asked), head, body).await,
        ),
        Err(error) => (Format::default(), Err(error)),
    };
    if let Err(error) = &answer {
        error.hold_back().await;
    }
    let mut failed = |error: ApiError| {
        under_way.ended(Outcome::Failed(error.code));
        spans::failed(&asked.span, error.code.row().name);
        let telling = match format::wants_problems(&head.headers) {
            true => Telling::Problem(&asked.id),
            false => Telling::Envelope(format),
        };
        (failure(&error, telling, app.mall.now_ms()), None)
    };
    let (mut response, charge) = match answer {
        Ok(answer) => {
            let bytes = answer.body().size_hint().lower() as usize;
            let is_small = bytes <= budget::small_bytes(head.version);
            let charge = || call::charge(app, &head.headers, visit, bytes);
            match (!is_small).then(charge).transpose() {
                Ok(charge) => {
                    // A page tells of a failure, too.
                    let failed = answer.extensions().get().copied().map(Outcome::Failed);
                    under_way.ended(failed.unwrap_or(Outcome::Answered(answer.status())));
                    (answer, charge)
                }
                Err(error) => failed(error),
            }
        }
        Err(error) => failed(error),
    };
    counted.say(response.headers_mut());
    (response, charge)
}

async fn answer(
    app: &App,
    found: Result<Found<'_, '_>, ApiError>,
    format: Format,
    visit: Visit,
    (counted, asked): (&Counted, &Asked),
    head: &Parts,
    body: Incoming,
) -> Answer {
    check_host(head)?;
    let (spelled, query) = (head.uri.path(), head.uri.query());
    let Found { route, encoded, .. } = found?;
    let _ = asked.operation.set((route.row.method.as_str(), route.row.path));
    spans::found(&asked.span, known(&head.method), Some(route.row.path));
    let decoded = encoded.iter().map(|(_, parameter)| decode(parameter));
    let decoded: SmallVec<[Cow<'_, str>; PARAMETERS]> = decoded.collect::<Result<_, _>>()?;
    let parameters: SmallVec<[&str; PARAMETERS]> = decoded.iter().map(|it| &**it).collect();
    let headers = &head.headers;
    let request = Unchecked {
        app,
        format,
        visit,
        counted,
        asked,
        headers,
        small_bytes: budget::small_bytes(head.version),
        route: &route.row,
        spelled,
        query,
        parameters: &parameters,
    };
    (route.handler)(request, body).await
}

fn decode(parameter: &str) -> Result<Cow<'_, str>, ApiError> {
    if parameter.contains('%') {
        query::decode(parameter, false).map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(parameter))
    }
}

/// What HTTP/2 says in `:authority` is said as `Host`, where it is not (RFC 9113, 8.3.1): whoever looks
/// need not know how the request came.
fn name_host(head: &mut Parts) {
    let named = head.uri.authority().filter(|_| head.version == Version::HTTP_2);
    let named = named.filter(|_| !head.headers.contains_key(HOST));
    if let Some(host) = named.and_then(|named| HeaderValue::try_from(named.as_str()).ok()) {
        head.headers.insert(HOST, host);
    }
}

/// A request of HTTP/1.1 names one host: of two, whoever stands between us may have read the other
/// one. One of HTTP/2 may name it in place of `Host`, and not another one there.
fn check_host(head: &Parts) -> Result<(), ApiError> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (first, is_only) = (hosts.next(), hosts.next().is_none());
    let named = head.uri.authority().filter(|_| head.version == Version::HTTP_2);
    match (first, named) {
        (Some(host), Some(named))
            if !host.as_bytes().eq_ignore_ascii_case(named.as_str().as_bytes()) =>
        {
            Err(ApiError::invalid("Host is not :authority"))
        }
        (Some(_), _) if is_only => Ok(()),
        (Some(_), _) => Err(ApiError::invalid("there is more than one Host")),
        (None, Some(_)) => Ok(()),
        (None, None) if head.version == Version::HTTP_10 => Ok(()),
        (None, None) => Err(ApiError::invalid("there is no Host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::access::Access;
    use crate::http::routes;
    use crate::http::row::{Row, Takes};

    fn found(router: &Router, method: &Method, path: &str) -> Option<(&'static str, Vec<String>)> {
        let Found { route, encoded, .. } = router.find(Offer::Everything, method, path).ok()?;
        Some((route.row.path, encoded.iter().map(|(_, value)| value.to_owned()).collect()))
    }

    #[test]
    fn every_route_is_found_with_its_parameters() {
        let router = Router::new(routes());
        for Route { row: Row { method, path, .. }, .. } in routes() {
            let (mut expected, mut concrete) = (Vec::new(), String::new());
            for segment in path.split('/').skip(1) {
                let parameter = format!("x-{}", expected.len());
                let is_parameter = segment.starts_with('{');
                concrete.push('/');
                concrete.push_str(if is_parameter { &parameter } else { segment });
                expected.extend(is_parameter.then_some(parameter));
            }
            assert_eq!(found(&router, method, &concrete), Some((*path, expected)), "{path}");
        }
        for wrong in
            ["/nix", "/api", "/api/mall/products/", "/api/mall/orders/x/y", "/api/mall/exchange/"]
        {
            let error =
                router.find(Offer::Everything, &Method::GET, wrong).err().map(|error| error.code);
            assert_eq!(error, Some(Code::NotFound), "{wrong}");
        }
    }

    #[test]
    fn the_routes_of_a_path_are_had_at_the_same_listeners() {
        let router = Router::new(routes());
        for Route { row, .. } in routes() {
            let found = |offer| router.find(offer, &row.method, row.path).map(|_| ());
            let [users, operators] = [Offer::Users, Offer::Operators].map(|it| found(it).is_ok());
            assert!(found(Offer::Everything).is_ok() && (users || operators), "{}", row.path);
            for (offer, is_found) in [(Offer::Users, users), (Offer::Operators, operators)] {
                assert_eq!(row.is_offered(offer), is_found, "{} {}", row.method, row.path);
            }
            let expected = match row.path {
                "/health" | "/ready" | "/api/points/batch" => (true, true),
                "/sign-in" | "/sign-out" | "/language" | "/assets/{name}" => (true, true),
                path if path.starts_with("/console") => (false, true),
                path if path.starts_with("/api/admin/") || path == "/metrics" => (false, true),
                _ => (true, false),
            };
            assert_eq!((users, operators), expected, "{}", row.path);
        }
    }

    #[test]
    fn every_route_that_somebody_waits_for_is_of_some_kind() {
        for Route { row: Row { path, .. }, .. } in ROUTES {
            let expected = path.starts_with("/api/") || path.starts_with("/v1/");
            assert_eq!(asking(path).is_some(), expected, "{path}");
        }
        assert_eq!(asking("/api/mall/products/{productId}/waiting-list"), Some(Asking::Catalogue));
    }

    fn route(method: Method, path: &'static str) -> Route {
        Route {
            row: Row { method, path, access: Access::Public, takes: Takes::Nothing, summary: "" },
            handler: |_, _| Box::pin(async { Err(ApiError::invalid("nobody asks")) }),
        }
    }

    #[test]
    fn an_authority_is_the_host_where_none_is_named() {
        let host = |version, named: Option<&str>| {
            let mut request = Request::builder().version(version).uri("https://shop:8443/orders");
            if let Some(named) = named {
                request = request.header(HOST, named);
            }
            let (mut head, ()) = request.body(()).expect("a request").into_parts();
            name_host(&mut head);
            head.headers.get(HOST).map(|host| host.to_str().expect("text").to_owned())
        };
        assert_eq!(host(Version::HTTP_2, None).as_deref(), Some("shop:8443"));
        assert_eq!(host(Version::HTTP_2, Some("other")).as_deref(), Some("other"));
        assert_eq!(host(Version::HTTP_11, None), None);
    }

    #[test]
    fn a_path_may_have_several_methods_and_parameters() {
        let table = vec![
            route(Method::GET, "/users/{user}/notes/{note}"),
            route(Method::PUT, "/users/{user}/notes/{note}"),
            route(Method::DELETE, "/users/{user}/notes/{note}"),
            route(Method::POST, "/users/{user}/notes"),
        ];
        let router = Router::new(Vec::leak(table).iter());
        for (method, path, parameters) in [
            (Method::GET, "/users/ann/notes/7", &["ann", "7"][..]),
            (Method::HEAD, "/users/ann/notes/7", &["ann", "7"]),
            (Method::PUT, "/users/a%20b/notes/8", &["a%20b", "8"]),
            (Method::DELETE, "/users/ann/notes/7", &["ann", "7"]),
            (Method::POST, "/users/ann/notes", &["ann"]),
        ] {
            let expected = parameters.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
            let found = found(&router, &method, path).map(|(_, parameters)| parameters);
            assert_eq!(found, Some(expected), "{method} {path}");
        }
        for (method, path, allow) in [
            (Method::POST, "/users/ann/notes/7", "GET, HEAD, PUT, DELETE"),
            (Method::HEAD, "/users/ann/notes", "POST"),
        ] {
            let error =
                router.find(Offer::Everything, &method, path).expect_err("it is not allowed");
            assert_eq!(error.code, Code::MethodNotAllowed);
            assert_eq!(error.allow.expect("with Allow"), allow, "{method} {path}");
        }
    }

    #[test]
    fn a_key_belongs_to_what_method_and_path_mean() {
        let scope = |method| {
            let route = route(method, "/users/{user}/notes/{note}");
            let path = route.row.path_with(&["a b", "{x}"]);
            route.row.idempotency_scope("root", &path)
        };
        assert_eq!(scope(Method::POST), "root /users/a b/notes/{x}");
        assert_eq!(scope(Method::PUT), "root PUT /users/a b/notes/{x}");
        let health = route(Method::GET, "/health");
        assert_eq!(health.row.path_with(&[]), "/health");
    }
}
