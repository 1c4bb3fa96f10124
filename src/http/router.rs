//! Paths to handlers.

use std::borrow::Cow;

use hyper::body::{Body, Incoming};
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::{Method, Request, Version};

use super::api::{admin, catalogue, exchange, health, mirror, orders, points};
use super::budget::Charge;
use super::call::Call;
use super::error::{ApiError, Code};
use super::format::Format;
use super::guests::Address;
use super::reply::{HttpResponse, failure};
use super::{App, query};
use crate::base::error::Result;

/// A thing the API does. Each path has one; who may call it is said where it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Health,
    Ready,
    Categories,
    Products,
    Product,
    Exchange,
    Orders,
    Order,
    Confirm,
    Cancel,
    Balance,
    Award,
    Receive,
    Adjust,
    Inventory,
    Clock,
    ConfirmClock,
    Mirror,
    MirrorWait,
}

const PATHS: [(&str, Endpoint); 19] = [
    ("/health", Endpoint::Health),
    ("/ready", Endpoint::Ready),
    ("/api/mall/categories", Endpoint::Categories),
    ("/api/mall/products", Endpoint::Products),
    ("/api/mall/products/{id}", Endpoint::Product),
    ("/api/mall/exchange", Endpoint::Exchange),
    ("/api/mall/orders", Endpoint::Orders),
    ("/api/mall/orders/{id}", Endpoint::Order),
    ("/api/mall/orders/{id}/confirm", Endpoint::Confirm),
    ("/api/mall/orders/{id}/cancel", Endpoint::Cancel),
    ("/api/points/balance", Endpoint::Balance),
    ("/api/admin/points/{id}/award", Endpoint::Award),
    ("/api/admin/inventory/{id}/receive", Endpoint::Receive),
    ("/api/admin/inventory/{id}/adjust", Endpoint::Adjust),
    ("/api/admin/inventory/{id}", Endpoint::Inventory),
    ("/api/admin/clock", Endpoint::Clock),
    ("/api/admin/clock/confirm", Endpoint::ConfirmClock),
    ("/api/admin/mirror", Endpoint::Mirror),
    ("/api/admin/mirror/wait", Endpoint::MirrorWait),
];

impl Endpoint {
    /// The pattern of its path.
    fn pattern(self) -> &'static str {
        let found = PATHS.iter().find(|(_, endpoint)| *endpoint == self);
        found.expect("every endpoint is in the table").0
    }

    /// The methods it takes, as `Allow` names them.
    fn allow(self) -> &'static str {
        match self {
            Self::Exchange
            | Self::Confirm
            | Self::Cancel
            | Self::Award
            | Self::Receive
            | Self::Adjust
            | Self::ConfirmClock => "POST",
            _ => "GET, HEAD",
        }
    }

    fn allows(self, method: &Method) -> bool {
        match self.allow() {
            "POST" => method == Method::POST,
            _ => method == Method::GET || method == Method::HEAD,
        }
    }
}

pub(super) struct Router {
    paths: matchit::Router<Endpoint>,
}

impl Router {
    pub(super) fn new() -> Self {
        let mut paths = matchit::Router::new();
        for (path, endpoint) in PATHS {
            paths.insert(path, endpoint).expect("the paths in the table do not collide");
        }
        Self { paths }
    }

    /// The endpoint of a path with its `{id}`, still encoded.
    fn find<'p>(&self, path: &'p str) -> Option<(Endpoint, &'p str)> {
        let found = self.paths.at(path).ok()?;
        Some((*found.value, found.params.get("id").unwrap_or_default()))
    }
}

/// Answers a request from `address`, whatever it is. With a large answer comes what it is charged.
pub(super) async fn handle(
    app: &App,
    address: Address,
    request: Request<Incoming>,
) -> (HttpResponse, Option<Charge>) {
    let (head, body) = request.into_parts();
    let (format, answer) = match Format::of_answer(&head.headers) {
        Ok(format) => (format, route(app, format, address, &head, body).await),
        Err(error) => (Format::default(), Err(error)),
    };
    let failed = |error| (failure(&error, format, app.mall.now_ms()), None);
    match answer {
        Ok(answer) => {
            let bytes = answer.body().size_hint().lower() as usize;
            match Call::charge_to(app, &head.headers, address, bytes) {
                Ok(charge) => (answer, charge),
                Err(error) => failed(error),
            }
        }
        Err(error) => failed(error),
    }
}

async fn route(
    app: &App,
    format: Format,
    address: Address,
    head: &Parts,
    body: Incoming,
) -> Result<HttpResponse, ApiError> {
    check_host(head)?;
    let (path, query) = (head.uri.path(), head.uri.query());
    let (endpoint, raw_id) = app.router.find(path).ok_or_else(|| ApiError::new(Code::NotFound))?;
    if !endpoint.allows(&head.method) {
        return Err(ApiError::method_not_allowed(endpoint.allow()));
    }
    let id = if raw_id.contains('%') {
        Cow::Owned(query::decode(raw_id, false)?)
    } else {
        Cow::Borrowed(raw_id)
    };
    let pattern = endpoint.pattern();
    let call = Call { app, format, address, headers: &head.headers, path, pattern, query, id: &id };
    match endpoint {
        Endpoint::Health => Ok(health::health(&call)),
        Endpoint::Ready => Ok(health::ready(&call)),
        Endpoint::Categories => catalogue::categories(&call),
        Endpoint::Products => catalogue::products(&call).await,
        Endpoint::Product => catalogue::product(&call),
        Endpoint::Exchange => exchange::exchange(&call, &*call.user()?, body).await,
        Endpoint::Orders => orders::list(&call, call.user()?).await,
        Endpoint::Order => orders::get(&call, &*call.user()?).await,
        Endpoint::Confirm => orders::confirm(&call, &*call.user()?, body).await,
        Endpoint::Cancel => orders::cancel(&call, &*call.user()?, body).await,
        Endpoint::Balance => points::balance(&call, &*call.user()?),
        Endpoint::Award => admin::award(&call, &*call.admin()?, body).await,
        Endpoint::Receive => admin::receive(&call, &*call.admin()?, body).await,
        Endpoint::Adjust => admin::adjust(&call, &*call.admin()?, body).await,
        Endpoint::Inventory => admin::inventory(&call, &*call.admin()?).await,
        Endpoint::Clock => admin::clock(&call, &*call.admin()?),
        Endpoint::ConfirmClock => admin::confirm_clock(&call, &*call.admin()?, body).await,
        Endpoint::Mirror => mirror::status(&call, &*call.admin()?),
        Endpoint::MirrorWait => mirror::wait(&call, &*call.admin()?).await,
    }
}

/// A request of HTTP/1.1 names one host: of two, whoever stands between us may have read the other
/// one.
fn check_host(head: &Parts) -> Result<(), ApiError> {
    let hosts = head.headers.get_all(HOST).iter().count();
    match (hosts, head.version) {
        (1, _) | (0, Version::HTTP_10) => Ok(()),
        (0, _) => Err(ApiError::invalid("there is no Host")),
        _ => Err(ApiError::invalid("there is more than one Host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scripts/api` holds a server to the document; this holds the document to the table.
    #[test]
    fn every_path_is_in_the_openapi_document_and_no_other() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../docs/openapi.json"))
                .expect("the document is JSON");
        let documented =
            document["paths"].as_object().expect("paths").iter().flat_map(|(path, methods)| {
                methods
                    .as_object()
                    .expect("methods")
                    .keys()
                    .map(move |method| (path.clone(), method.to_uppercase()))
            });
        let mut documented: Vec<(String, String)> = documented.collect();
        let method =
            |endpoint: Endpoint| endpoint.allow().split(',').next().unwrap_or_default().to_owned();
        let mut served: Vec<(String, String)> =
            PATHS.iter().map(|(path, endpoint)| ((*path).to_owned(), method(*endpoint))).collect();
        documented.sort();
        served.sort();
        assert_eq!(documented, served);
    }

    #[test]
    fn every_path_finds_its_endpoint() {
        let router = Router::new();
        for (path, endpoint) in PATHS {
            let concrete = path.replace("{id}", "x-1");
            let id = if path.contains("{id}") { "x-1" } else { "" };
            assert_eq!(router.find(&concrete), Some((endpoint, id)), "{path}");
        }
        for wrong in
            ["/", "/api", "/api/mall/products/", "/api/mall/orders/x/y", "/api/mall/exchange/"]
        {
            assert_eq!(router.find(wrong), None, "{wrong}");
        }
    }
}
