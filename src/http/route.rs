//! The table of the API: what can be asked, by whom, and who answers.
//!
//! The router, the `Allow` of 405, the check of the caller and the scope of idempotency keys follow
//! from it; `docs/api.md` and `docs/openapi.json` are held to it by tests.

#[cfg(test)]
mod tests;

use std::pin::Pin;

use hyper::Method;
use hyper::body::Incoming;

use super::access::Access;
use super::api::admin::{
    alerts, categories, clock, documents, experiments, held, leaks, levels, mirror,
    orders as all_orders, points as all_points, preferences as all_preferences, products, records,
    reports, revocations, sagas, status, stock, views, webhooks,
};
use super::api::ledger::{accounts, batch, events, reservations};
use super::api::shop::{catalogue, exchange, orders, preferences, recommend, waiting};
use super::api::{health, manual, metrics, points};
use super::body::{Empty, Optional, Sent};
use super::call::Unchecked;
use super::reply::Answer;
use super::row::{Row, Takes};
use crate::mall::{Category, Product};

/// A row, and who answers.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) row: Row,
    pub(super) handler: Handler,
}

pub(super) type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
pub(super) type Handler = for<'a> fn(Unchecked<'a>, Incoming) -> Answering<'a>;

/// A row is: method, path, who may ask (`public`, `user`,
/// `service`, `staff`, `ledger`, `operator`, `admin`, `monitor`), what body comes with it
/// (`nothing`, `empty`, `optional`, `fields`), the handler, and a summary. A handler whose signature takes
/// another caller, another body or another number of parameters than its row says does not compile.
macro_rules! routes {
    ($($method:ident $path:literal $access:ident $takes:ident => $handler:path, $summary:literal;)*) => {
        pub(super) static ROUTES: &[Route] = &[$(Route {
            row: Row {
                method: Method::$method,
                path: $path,
                access: routes!(@access $access),
                takes: routes!(@takes $takes),
                summary: $summary,
            },
            handler: |request, body| {
                Box::pin(async move {
                    let call = request.$access::<{ parameters($path) }>()?;
                    routes!(@answer $takes $handler, call, body)
                })
            },
        }),*];
    };
    (@access public) => { Access::Public };
    (@access user) => { Access::User };
    (@access service) => { Access::Service };
    (@access staff) => { Access::Staff };
    (@access ledger) => { Access::Ledger };
    (@access operator) => { Access::Operator };
    (@access admin) => { Access::Admin };
    (@access monitor) => { Access::Monitor };
    (@takes nothing) => { Takes::Nothing };
    (@takes empty) => { Takes::Empty };
    (@takes optional) => { Takes::Optional };
    (@takes fields) => { Takes::Fields };
    (@answer nothing $handler:path, $call:ident, $body:ident) => {{
        drop($body);
        $handler($call).await
    }};
    (@answer empty $handler:path, $call:ident, $body:ident) => {
        $handler($call, Empty::new($body)).await
    };
    (@answer optional $handler:path, $call:ident, $body:ident) => {
        $handler($call, Optional::new($body)).await
    };
    (@answer fields $handler:path, $call:ident, $body:ident) => {
        $handler($call, Sent::new($body)).await
    };
}

routes! {
    GET "/api/mall/categories" public nothing => catalogue::categories,
        "The tree of categories.";
    GET "/api/mall/products" public nothing => catalogue::products,
        "Products, filtered, page by page.";
    GET "/api/mall/products/{productId}" public nothing => catalogue::product,
        "One product with its stock.";
    GET "/api/mall/products/{productId}/stock" public nothing => catalogue::stock,
        "How many units can be bought: now, or as it changes as a stream of server-sent events.";
    GET "/api/mall/home" user nothing => recommend::home,
        "The first page of the mall in one answer.";
    GET "/api/mall/recommendations" user nothing => recommend::list,
        "What the caller may like, and why.";
    GET "/api/mall/preferences" user nothing => preferences::get,
        "What the caller says that it likes.";
    PUT "/api/mall/preferences" user fields => preferences::replace,
        "Replaces what the caller says of categories and prices.";
    DELETE "/api/mall/preferences" user empty => preferences::erase,
        "Erases all that the caller says that it likes, and what it looked at.";
    GET "/api/mall/views" user nothing => preferences::views,
        "What the caller looked at, newest first.";
    GET "/api/mall/favourites" user nothing => preferences::favourites,
        "The caller's favourites, newest first.";
    PUT "/api/mall/favourites/{productId}" user empty => preferences::mark,
        "Adds a product to the caller's favourites.";
    DELETE "/api/mall/favourites/{productId}" user empty => preferences::unmark,
        "Takes a product out of the caller's favourites.";
    GET "/api/mall/levels" public nothing => catalogue::levels,
        "The levels of members, and what each takes.";
    GET "/api/mall/products/{productId}/waiting-list" user nothing => waiting::standing,
        "How the caller stands in the line for a product.";
    POST "/api/mall/products/{productId}/waiting-list" user empty => waiting::join,
        "Waits in line for a product that is sold out.";
    DELETE "/api/mall/products/{productId}/waiting-list" user empty => waiting::leave,
        "Waits no longer.";
    GET "/api/mall/waiting-list" user nothing => waiting::standings,
        "Every line that the caller is in.";
    POST "/api/mall/exchange" user fields => exchange::exchange,
        "Points for a product: points, limit and stock move in one step, or none does.";
    GET "/api/mall/orders" user nothing => orders::list,
        "The caller's orders, newest first.";
    GET "/api/mall/orders/{orderId}" user nothing => orders::get,
        "One of the caller's orders.";
    POST "/api/mall/orders/{orderId}/confirm" user optional => orders::confirm,
        "Makes an order final; one that has expired where its units can be had again.";
    POST "/api/mall/orders/{orderId}/cancel" user empty => orders::cancel,
        "Gives an order up, or returns it.";
    POST "/api/mall/orders/{orderId}/extend" user fields => orders::extend,
        "Lets a waiting order wait longer, within a maximum.";
    PUT "/api/mall/orders/{orderId}/delivery" user fields => orders::redirect,
        "Sends an order elsewhere, while it waits or is confirmed.";
    GET "/api/points/balance" user nothing => points::balance,
        "The caller's points.";
    GET "/api/points/eligibility" user nothing => points::eligibility::check,
        "Whether the caller could exchange points for something now.";
    GET "/api/points/records" user nothing => points::records::list,
        "What changed the caller's points, newest first.";
    POST "/api/points/award" service fields => points::moving::award,
        "Gives points to the user that a service names.";
    POST "/api/points/deduct" service fields => points::moving::deduct,
        "Takes points from the user that a service names.";
    POST "/api/points/refund" service fields => points::moving::refund,
        "Gives points back to the user that a service names.";
    POST "/api/points/batch" staff fields => points::batch::batch,
        "Moves points of many users: each line on its own, once.";
    GET "/api/admin/orders" operator nothing => all_orders::list,
        "Everybody's orders, newest first.";
    GET "/api/admin/orders/{orderId}" operator nothing => all_orders::get,
        "Anybody's order, with what is on record of it.";
    POST "/api/admin/orders/{orderId}/ship" operator fields => all_orders::ship,
        "A confirmed order was sent.";
    POST "/api/admin/orders/{orderId}/deliver" operator empty => all_orders::deliver,
        "An order that was sent has arrived.";
    POST "/api/admin/orders/{orderId}/complete" operator empty => all_orders::complete,
        "An order that was sent is over.";
    POST "/api/admin/orders/{orderId}/cancel" operator fields => all_orders::cancel,
        "Takes back an order that is not over, with a reason.";
    POST "/api/admin/orders/{orderId}/refund" operator fields => all_orders::refund,
        "Gives back what an order took, with a reason.";
    POST "/api/admin/orders/{orderId}/remark" operator fields => all_orders::remark,
        "Writes something down about an order, for operators.";
    PUT "/api/admin/orders/{orderId}/delivery" operator fields => all_orders::redirect,
        "Sends anybody's order elsewhere.";
    GET "/api/admin/categories" operator nothing => categories::list,
        "All categories, shown or not.";
    POST "/api/admin/categories" operator fields => documents::create::<Category>,
        "Creates a category.";
    GET "/api/admin/categories/{categoryId}" operator nothing => documents::get::<Category>,
        "One category, with its tag.";
    PUT "/api/admin/categories/{categoryId}" operator fields => documents::replace::<Category>,
        "Replaces a category that is as it was seen.";
    PATCH "/api/admin/categories/{categoryId}" operator fields => documents::patch::<Category>,
        "Changes a part of a category that is as it was seen.";
    DELETE "/api/admin/categories/{categoryId}" operator empty => documents::remove::<Category>,
        "Removes a category that nothing refers to.";
    POST "/api/admin/categories/{categoryId}/publish" operator empty => documents::publish::<Category>,
        "Shows a category.";
    POST "/api/admin/categories/{categoryId}/withdraw" operator empty => documents::withdraw::<Category>,
        "Shows a category no more.";
    GET "/api/admin/levels" operator nothing => levels::get,
        "The levels of members, with their tag.";
    PUT "/api/admin/levels" operator fields => levels::replace,
        "Replaces the levels, which are as they were seen.";
    GET "/api/admin/products" operator nothing => products::list,
        "Products, for sale or not, filtered, page by page.";
    POST "/api/admin/products" operator fields => documents::create::<Product>,
        "Creates a product.";
    GET "/api/admin/products/{productId}" operator nothing => documents::get::<Product>,
        "One product, for sale or not, with its tag.";
    PUT "/api/admin/products/{productId}" operator fields => documents::replace::<Product>,
        "Replaces a product that is as it was seen; its stock stays.";
    PATCH "/api/admin/products/{productId}" operator fields => documents::patch::<Product>,
        "Changes a part of a product that is as it was seen.";
    DELETE "/api/admin/products/{productId}" operator empty => documents::remove::<Product>,
        "Removes a product that nothing refers to.";
    POST "/api/admin/products/{productId}/publish" operator empty => documents::publish::<Product>,
        "Puts a product on the shelf.";
    POST "/api/admin/products/{productId}/withdraw" operator empty => documents::withdraw::<Product>,
        "Takes a product off the shelf.";
    GET "/api/admin/preferences/{userId}" operator nothing => all_preferences::get,
        "What anybody says that it likes.";
    GET "/api/admin/views" operator nothing => views::of_day,
        "How often products were looked at in a day, and by how many.";
    GET "/api/admin/points/{userId}" operator nothing => all_points::balance,
        "Anybody's points.";
    GET "/api/admin/points/{userId}/eligibility" operator nothing => all_points::eligibility,
        "Whether anybody could exchange points for something now.";
    GET "/api/admin/points/{userId}/records" operator nothing => all_points::records,
        "What changed anybody's points, newest first.";
    POST "/api/admin/points/{userId}/award" operator fields => all_points::award,
        "Gives points.";
    POST "/api/admin/points/{userId}/deduct" operator fields => all_points::deduct,
        "Takes points, with a reason.";
    POST "/api/admin/points/{userId}/refund" operator fields => all_points::refund,
        "Gives points back, with a reason.";
    GET "/api/admin/sagas" operator nothing => sagas::list,
        "Orders whose points are kept elsewhere and are not settled, oldest first.";
    GET "/api/admin/sagas/{orderId}" operator nothing => sagas::get,
        "How it stands with the points of such an order.";
    POST "/api/admin/sagas/{orderId}/retry" operator fields => sagas::retry,
        "Drives it on at once, with a reason.";
    POST "/api/admin/sagas/{orderId}/compensate" operator fields => sagas::compensate,
        "Gives the order up and its points back, with a reason.";
    GET "/api/admin/inventory/records" operator nothing => records::list,
        "What changed the stock of products, newest first.";
    POST "/api/admin/inventory/{productId}/receive" operator fields => stock::receive,
        "Adds stock.";
    POST "/api/admin/inventory/{productId}/adjust" operator fields => stock::adjust,
        "Corrects stock by so many units.";
    POST "/api/admin/inventory/{productId}/count" operator fields => stock::count,
        "Sets stock to what was counted.";
    POST "/api/admin/inventory/{productId}/write-off" operator fields => stock::write_off,
        "Takes stock out for good.";
    POST "/api/admin/inventory/{productId}/transfer" operator fields => stock::transfer,
        "Moves stock from one place to another, in one step.";
    GET "/api/admin/inventory/alerts" operator nothing => alerts::list,
        "What is low or sold out, and what was.";
    POST "/api/admin/inventory/alerts/{alertId}/ack" operator empty => alerts::acknowledge,
        "An operator has seen an alert.";
    GET "/api/admin/inventory/reservations" operator nothing => held::reservations,
        "What waiting orders hold, by age, and the oldest of them.";
    GET "/api/admin/inventory/reservations/holders" operator nothing => held::holders,
        "Who holds how many units of what.";
    GET "/api/admin/inventory/health" operator nothing => leaks::health,
        "Whether anything is held that should not be, or is not held that should be.";
    GET "/api/admin/inventory/{productId}" operator nothing => stock::inventory,
        "Stock and its newest changes.";
    GET "/api/admin/inventory/{productId}/waiting-list" operator nothing => stock::waiting_list,
        "Everybody who waits in line for a product.";
    GET "/api/admin/reports/daily" operator nothing => reports::daily,
        "What happened in a day.";
    GET "/api/admin/reports/weekly" operator nothing => reports::weekly,
        "What happened in a week.";
    GET "/api/admin/experiments" operator nothing => experiments::list,
        "The experiments on recommendations, and what came of them.";
    GET "/api/admin/webhooks" operator nothing => webhooks::list,
        "The receivers of webhooks, and how they stand.";
    POST "/api/admin/webhooks" operator fields => webhooks::create,
        "Makes a receiver of webhooks; its secret is shown this once.";
    GET "/api/admin/webhooks/dead" operator nothing => webhooks::dead,
        "Messages that were given up.";
    POST "/api/admin/webhooks/dead/replay" operator fields => webhooks::replay,
        "Tries messages again that were given up.";
    GET "/api/admin/webhooks/{receiverId}" operator nothing => webhooks::get,
        "One receiver of webhooks.";
    PATCH "/api/admin/webhooks/{receiverId}" operator fields => webhooks::patch,
        "Changes a receiver of webhooks, or turns it on or off.";
    DELETE "/api/admin/webhooks/{receiverId}" operator empty => webhooks::remove,
        "Removes a receiver of webhooks, with what is on its way to it.";
    GET "/api/admin/webhooks/{receiverId}/deliveries" operator nothing => webhooks::deliveries,
        "The last attempts to deliver something.";
    POST "/api/admin/webhooks/{receiverId}/rotate" operator fields => webhooks::rotate,
        "Signs with another secret, and with the one before for a while.";
    POST "/api/admin/webhooks/{receiverId}/test" operator empty => webhooks::test,
        "Sends a message that tells nothing.";
    GET "/api/admin/clock" admin nothing => clock::clock,
        "The engine's time, and the machine's.";
    POST "/api/admin/clock/confirm" admin empty => clock::confirm,
        "Follows a machine clock that jumped forwards, at once.";
    GET "/api/admin/status" admin nothing => status::status,
        "The engine's condition.";
    GET "/api/admin/revocations" admin nothing => revocations::list,
        "Whose tokens are revoked.";
    POST "/api/admin/revocations" admin fields => revocations::revoke,
        "Revokes tokens of a user, or everybody's, that were made before a time.";
    DELETE "/api/admin/revocations/{userId}" admin empty => revocations::lift,
        "Takes a revocation back.";
    GET "/api/admin/mirror" admin nothing => mirror::status,
        "How far the reporting tables are.";
    GET "/api/admin/mirror/wait" admin nothing => mirror::wait,
        "The same, once the tables show something.";
    GET "/v1/accounts" ledger nothing => accounts::list,
        "Accounts that are open, by the beginning of their keys.";
    POST "/v1/accounts" ledger fields => accounts::open,
        "Opens an account, or finds it open with these rules.";
    GET "/v1/accounts/{account}" ledger nothing => accounts::get,
        "An account as it stands.";
    DELETE "/v1/accounts/{account}" ledger empty => accounts::close,
        "Closes an account with nothing left in it, for good.";
    POST "/v1/accounts/{account}/receive" ledger fields => accounts::receive,
        "Adds units.";
    POST "/v1/accounts/{account}/adjust" ledger fields => accounts::adjust,
        "Corrects an account by so many units.";
    POST "/v1/accounts/{account}/count" ledger fields => accounts::count,
        "Corrects an account to what was counted.";
    POST "/v1/accounts/{account}/write-off" ledger fields => accounts::write_off,
        "Takes units out for good.";
    POST "/v1/accounts/{account}/transfer" ledger fields => accounts::transfer,
        "Moves units to another account of the same kind, in one step.";
    POST "/v1/reservations" ledger fields => reservations::reserve,
        "Takes units of several accounts and holds them: all or none.";
    GET "/v1/reservations/{reservation}" ledger nothing => reservations::get,
        "A reservation with its whole life.";
    POST "/v1/reservations/{reservation}/confirm" ledger optional => reservations::confirm,
        "Makes a reservation final, or a part of it.";
    POST "/v1/reservations/{reservation}/release" ledger optional => reservations::release,
        "Gives a reservation's units back.";
    POST "/v1/reservations/{reservation}/extend" ledger fields => reservations::extend,
        "Gives a pending reservation another deadline.";
    POST "/v1/reservations/{reservation}/reacquire" ledger optional => reservations::reacquire,
        "Takes again what an expired reservation held, and confirms it.";
    POST "/v1/reservations/{reservation}/refund" ledger optional => reservations::refund,
        "Returns what a confirmed reservation consumed, or a part of it.";
    POST "/v1/batch" ledger fields => batch::execute,
        "Executes up to 1,000 commands: each for itself, or all of them or none.";
    GET "/v1/events" ledger nothing => events::events,
        "What happened, page by page, or as a stream of server-sent events.";
    GET "/health" public nothing => health::health,
        "Whether the process lives: 503 when only a restart helps, and while the disk hangs.";
    GET "/ready" public nothing => health::ready,
        "Whether it can take requests now: 503 also while the journal's queue is full, or the server stops.";
    GET "/metrics" monitor nothing => metrics::metrics,
        "The server in numbers, as Prometheus reads them.";
    GET "/openapi.json" public nothing => manual::openapi,
        "This API as OpenAPI 3.1 describes it.";
    GET "/docs" public nothing => manual::page,
        "The same as a page to read.";
}

/// How many parameters a path has.
pub(super) const fn parameters(path: &str) -> usize {
    let (bytes, mut at, mut count) = (path.as_bytes(), 0, 0);
    while at < bytes.len() {
        if bytes[at] == b'{' {
            count += 1;
        }
        at += 1;
    }
    count
}
