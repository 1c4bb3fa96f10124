//! Pages for people, which the server writes whole: they can be read, and points exchanged, without a
//! script. What a script adds is in `assets/shop.js`.

mod assets;
mod console;
mod failed;
mod form;
mod frame;
mod go;
mod life;
mod load;
mod number;
mod page;
mod shop;
mod sign_in;
mod table;
mod time;
mod words;

#[cfg(feature = "bin")]
pub(crate) use self::life::{Caption, MOMENTS_MAX, Moment, file as life_file};
pub(super) use self::table::PAGES;
