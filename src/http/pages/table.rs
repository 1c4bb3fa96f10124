//! The table of pages: what can be looked at and sent, and who answers.

use hyper::Method;

use super::console::{
    board, order as any_order, orders as all_orders, product as stock, products as all_products,
    user as points_of_user,
};
use super::form::Form;
use super::page::Page;
use super::shop::{exchange, home, list, order, orders, points, preferences, product};
use super::{failed, load, sign_in};
use crate::http::access::Access;
use crate::http::route::{Route, parameters};
use crate::http::row::{Row, Takes};

/// A row is: method, path, whether a form comes with it, the handler, and a summary. Everybody may
/// ask; a page that is for somebody says so itself, in words for people.
macro_rules! pages {
    ($($method:ident $path:literal $takes:ident => $handler:path, $summary:literal;)*) => {
        pub(in crate::http) static PAGES: &[Route] = &[$(Route {
            row: Row {
                method: Method::$method,
                path: $path,
                access: Access::Public,
                takes: pages!(@takes $takes),
                summary: $summary,
            },
            handler: |request, body| {
                Box::pin(async move {
                    let page = Page::<{ parameters($path) }>::of(request)?;
                    let answer = pages!(@answer $takes $handler, page, body);
                    Ok(answer.unwrap_or_else(|error| failed::page(&page, &error)))
                })
            },
        }),*];
    };
    (@takes nothing) => { Takes::Nothing };
    (@takes form) => { Takes::Fields };
    (@answer nothing $handler:path, $page:ident, $body:ident) => {{
        drop($body);
        $handler(&$page).await
    }};
    (@answer form $handler:path, $page:ident, $body:ident) => {
        $handler(&$page, Form($body)).await
    };
}

pages! {
    GET "/" nothing => home::get, "The first page.";
    GET "/products" nothing => list::get, "Products, filtered, page by page.";
    GET "/products/{productId}" nothing => product::get, "One product.";
    POST "/products/{productId}" form => product::post, "Waits for it, or marks it as a favourite.";
    GET "/products/{productId}/exchange" nothing => exchange::get, "What an exchange would cost.";
    POST "/products/{productId}/exchange" form => exchange::post, "Exchanges points for it.";
    GET "/orders" nothing => orders::get, "Orders of who looks.";
    GET "/orders/{orderId}" nothing => order::get, "One of them.";
    POST "/orders/{orderId}" form => order::post, "Confirms it, cancels it, or sends it elsewhere.";
    GET "/points" nothing => points::get, "Points of who looks, and what changed them.";
    GET "/preferences" nothing => preferences::get, "What who looks likes.";
    POST "/preferences" form => preferences::post, "Says what one likes, or erases it.";
    GET "/console" nothing => board::get, "How the sale stands.";
    GET "/console/orders" nothing => all_orders::get, "Everybody's orders.";
    GET "/console/orders/{orderId}" nothing => any_order::get, "One of them.";
    POST "/console/orders/{orderId}" form => any_order::post, "Carries it on, or takes it back.";
    GET "/console/products" nothing => all_products::get, "Products with their stock.";
    GET "/console/products/{productId}" nothing => stock::get, "The stock of one, and what changed it.";
    POST "/console/products/{productId}" form => stock::post, "Changes its stock, or shows it.";
    GET "/console/users" nothing => points_of_user::get, "The points of a user.";
    POST "/console/users" form => points_of_user::post, "Gives points, or takes them.";
    GET "/sign-in" nothing => sign_in::get, "Who are you?";
    POST "/sign-in" form => sign_in::post, "Begins a session.";
    POST "/sign-out" form => sign_in::end, "Ends it.";
    POST "/language" form => sign_in::language, "Chooses a language.";
    GET "/assets/{name}" nothing => load::get, "What pages load.";
}
