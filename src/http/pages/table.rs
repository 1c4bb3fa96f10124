//! The table of pages: what can be looked at and sent, and who answers.

use std::sync::OnceLock;

use hyper::Method;

use super::console::{
    board, catalogue, copies, dispatch, experiments, lines, order as any_order,
    orders as all_orders, product as stock, products as all_products, records, reports, sagas,
    settings, user as points_of_user, webhooks,
};
use super::form::{Asked, Fields};
use super::frame::Frame;
use super::page::Page;
use super::shop::{exchange, home, list, order, orders, points, preferences, product, sale};
use super::{failed, load, sign_in};
use crate::http::access::Access;
use crate::http::body::LINES_BODIES;
use crate::http::reply::Answer;
use crate::http::route::{Route, parameters};
use crate::http::row::{Row, Takes};

/// A row is: method, path, who may look (`looker`: everybody, known or not; `anybody`: the same, and it
/// makes no difference who; `user`, `operator`, `admin`), what comes with it (`nothing`, `query`, `form`, or
/// a `sheet`, which is a long one), the handler, and a summary. A handler that takes another page, or
/// something else along with it, than its row says does not compile.
macro_rules! pages {
    ($($method:ident $path:literal $access:ident $takes:ident => $handler:path, $summary:literal;)*) => {
        pub(in crate::http) static PAGES: &[Route] = &[$(Route {
            row: Row {
                method: Method::$method,
                path: $path,
                access: pages!(@access $access),
                takes: pages!(@takes $takes),
                summary: $summary,
            },
            handler: |request, body| {
                Box::pin(async move {
                    let sent = OnceLock::new();
                    let answering = async {
                        let page = Page::of(request.$access::<{ parameters($path) }>()?);
                        pages!(@answer $takes $handler, page, body, sent)
                    };
                    let answer: Answer = answering.await;
                    if let Err(error) = &answer {
                        error.hold_back().await;
                    }
                    Ok(answer.unwrap_or_else(|error| {
                        failed::page(&Frame::of(request), &error, sent.get())
                    }))
                })
            },
        }),*];
    };
    (@access anybody) => { Access::Public };
    (@access looker) => { Access::Public };
    (@access user) => { Access::User };
    (@access operator) => { Access::Operator };
    (@access admin) => { Access::Admin };
    (@takes nothing) => { Takes::Nothing };
    (@takes query) => { Takes::Nothing };
    (@takes form) => { Takes::Fields };
    (@takes sheet) => { Takes::Fields };
    (@answer nothing $handler:path, $page:ident, $body:ident, $sent:ident) => {{
        drop($body);
        $page.call.no_query()?;
        $handler(&$page).await
    }};
    (@answer query $handler:path, $page:ident, $body:ident, $sent:ident) => {{
        drop($body);
        $handler(&$page, &Asked::read(&$page.call)?).await
    }};
    (@answer form $handler:path, $page:ident, $body:ident, $sent:ident) => {
        pages!(@sent 1, $handler, $page, $body, $sent)
    };
    (@answer sheet $handler:path, $page:ident, $body:ident, $sent:ident) => {
        pages!(@sent LINES_BODIES, $handler, $page, $body, $sent)
    };
    (@sent $bodies:expr, $handler:path, $page:ident, $body:ident, $sent:ident) => {{
        let fields = Fields::read(&$page.call, $body, $bodies).await?;
        $handler(&$page, $sent.get_or_init(|| fields)).await
    }};
}

pages! {
    GET "/" looker query => home::get, "The first page.";
    GET "/products" looker query => list::get, "Products, filtered, page by page.";
    GET "/products/{productId}" looker nothing => product::get, "One product.";
    POST "/products/{productId}" user form => product::post, "Waits for it, or marks it as a favourite.";
    GET "/products/{productId}/exchange" user query => exchange::get, "What an exchange would cost.";
    POST "/products/{productId}/exchange" user form => exchange::post, "Exchanges points for it.";
    GET "/products/{productId}/sale" looker nothing => sale::get, "When its sale begins, and one button.";
    POST "/products/{productId}/sale" user form => sale::post, "Exchanges points for one at once.";
    GET "/orders" user query => orders::get, "Orders of who looks.";
    GET "/orders/{orderId}" user nothing => order::get, "One of them.";
    POST "/orders/{orderId}" user form => order::post, "Confirms it, cancels it, or sends it elsewhere.";
    GET "/points" user query => points::get, "Points of who looks, and what changed them.";
    GET "/preferences" user nothing => preferences::get, "What who looks likes.";
    POST "/preferences" user form => preferences::post, "Says what one likes, or erases it.";
    GET "/console" operator nothing => board::get, "How the sale stands.";
    GET "/console/orders" operator query => all_orders::get, "Everybody's orders.";
    GET "/console/orders/{orderId}" operator nothing => any_order::get, "One of them.";
    POST "/console/orders/{orderId}" operator form => any_order::post, "Carries it on, or takes it back.";
    GET "/console/dispatch" operator nothing => dispatch::get, "Many orders at once.";
    POST "/console/dispatch" operator sheet => dispatch::post, "Sends and completes each order of a table.";
    GET "/console/catalogue" operator nothing => catalogue::get, "The catalogue as a file.";
    POST "/console/catalogue" operator sheet => catalogue::post, "Writes what a file says, or says what would be written.";
    GET "/console/catalogue.csv" operator nothing => catalogue::export, "All categories and products.";
    GET "/console/products" operator query => all_products::get, "Products with their stock.";
    GET "/console/products/{productId}" operator nothing => stock::get, "The stock of one, and what changed it.";
    POST "/console/products/{productId}" operator form => stock::post, "Changes its stock, or shows it.";
    GET "/console/lines" operator query => lines::get, "Who waits for what.";
    GET "/console/reports" operator query => reports::get, "What happened in a day or a week, with plots.";
    GET "/console/experiments" operator nothing => experiments::get, "What came of the experiments.";
    GET "/console/users" operator query => points_of_user::get, "The points of a user.";
    POST "/console/users" operator form => points_of_user::post, "Gives points, or takes them.";
    GET "/console/records" operator query => records::get, "Who changed what.";
    GET "/console/sagas" operator query => sagas::get, "Orders whose points are not settled.";
    POST "/console/sagas" operator form => sagas::post, "Drives one on, or gives it up.";
    GET "/console/webhooks" operator nothing => webhooks::get, "Receivers, and messages that were given up.";
    POST "/console/webhooks" operator form => webhooks::post, "Tries them again.";
    GET "/console/copies" admin nothing => copies::get, "The mirror, the backups, who follows.";
    GET "/console/settings" admin nothing => settings::get, "What the server was told.";
    GET "/sign-in" looker query => sign_in::get, "Who are you?";
    POST "/sign-in" looker form => sign_in::post, "Begins a session.";
    POST "/sign-out" looker form => sign_in::end, "Ends it.";
    POST "/language" looker form => sign_in::language, "Chooses a language.";
    GET "/assets/{name}" anybody nothing => load::get, "What pages load.";
}
