//! What an order keeps beside its reservation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::error::{Error, Result};
use crate::mall::model::Product;

/// The version that is written, as the first byte. Up to 0.1.0 there was none: the first byte then
/// is that of a MessagePack array, which no version will have. A field that is added at the end
/// with a default needs no new version.
const VERSION: u8 = 1;
/// The version of a basket: the service is always there, and the items after it. The product is the
/// first of them, and the quantity that of all.
const BASKET: u8 = 2;
/// The version of an order whose points are kept elsewhere: everything is always there.
const ELSEWHERE: u8 = 3;
/// The first byte of the array of 0.1.0, which had five fields.
const UNVERSIONED: u8 = 0x95;

/// What an order keeps of the product as it was when it was ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot<S> {
    pub(crate) id: S,
    pub(crate) name: S,
    pub(crate) category_id: S,
    pub(crate) points_price: u64,
    pub(crate) image: Option<S>,
    /// What one unit costs elsewhere, in hundredths. Left out where the product has none; a field
    /// that comes after it ends that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) original_price_cents: Option<u64>,
}

impl<'a> Snapshot<&'a str> {
    /// At the price that it is ordered for.
    pub(crate) fn of(product: &'a Product, points_price: u64) -> Self {
        Self {
            id: &product.id,
            name: &product.name,
            category_id: &product.category_id,
            points_price,
            image: product.images.first().map(String::as_str),
            original_price_cents: product.original_price_cents,
        }
    }
}

/// A snapshot as clients and reports see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SnapshotShown<'a> {
    id: &'a str,
    name: &'a str,
    category_id: &'a str,
    points_price: u64,
    image: Option<&'a str>,
    /// Not there in orders from before it was kept, nor where the product had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    original_price: Option<f64>,
}

impl Snapshot<String> {
    pub(crate) fn shown(&self) -> SnapshotShown<'_> {
        let Self { id, name, category_id, points_price, image, original_price_cents } = self;
        let (points_price, image) = (*points_price, image.as_deref());
        let original_price = original_price_cents.map(|cents| cents as f64 / 100.0);
        SnapshotShown { id, name, category_id, points_price, image, original_price }
    }
}

/// The details as they are written: a byte of the version, then a MessagePack array.
#[derive(Debug, Serialize)]
pub(crate) struct Details<'a> {
    pub(crate) user: &'a str,
    pub(crate) quantity: u64,
    pub(crate) points_cost: u64,
    pub(crate) product: Snapshot<&'a str>,
    pub(crate) delivery_info: Option<&'a Map<String, Value>>,
    /// The service that asked in the user's name. Left out where none did; a field that comes after
    /// it ends that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<&'a str>,
    /// Whether its points are kept elsewhere: then no line of its reservation has taken any.
    #[serde(skip)]
    pub(crate) elsewhere: bool,
}

/// A product of a basket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderItem<S> {
    pub(crate) product: Snapshot<S>,
    pub(crate) quantity: u64,
}

impl Details<'_> {
    /// The details, with the items of a basket.
    pub(crate) fn encode(&self, items: &[OrderItem<&str>]) -> Result<Vec<u8>> {
        let mut encoded = Vec::with_capacity(256);
        let written = if items.is_empty() && !self.elsewhere {
            encoded.push(VERSION);
            rmp_serde::encode::write(&mut encoded, self)
        } else {
            let Self { user, quantity, points_cost, product, delivery_info, service, elsewhere } =
                self;
            encoded.push(if *elsewhere { ELSEWHERE } else { BASKET });
            let whole = (user, quantity, points_cost, product, delivery_info, service, items);
            rmp_serde::encode::write(&mut encoded, &whole)
        };
        written.map_err(|cause| {
            Error::invalid("the order's details cannot be written").with_source(cause)
        })?;
        Ok(encoded)
    }
}

/// [`Details`] as read back.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct OrderDetails {
    pub(crate) user: String,
    pub(crate) quantity: u64,
    pub(crate) points_cost: u64,
    pub(crate) product: Snapshot<String>,
    pub(crate) delivery_info: Option<Map<String, Value>>,
    /// The service that asked in the user's name, if one did.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// What a basket is of; none where the order is of one product.
    #[serde(default)]
    pub(crate) items: Vec<OrderItem<String>>,
    /// Whether its points are kept elsewhere: the version says so.
    #[serde(skip)]
    pub(crate) elsewhere: bool,
}

impl OrderDetails {
    /// The details of a reservation, when they are those of an order.
    pub(crate) fn read(details: &[u8]) -> Option<Self> {
        let fields = match details.split_first()? {
            (&(VERSION | BASKET | ELSEWHERE), fields) => fields,
            (&UNVERSIONED, _) => details,
            _ => return None,
        };
        let read: Self = rmp_serde::from_slice(fields).ok()?;
        Some(Self { elsewhere: details.first() == Some(&ELSEWHERE), ..read })
    }

    /// What it is of: the items of a basket, or the one product.
    pub(crate) fn products(&self) -> impl Iterator<Item = &Snapshot<String>> {
        let one = self.items.is_empty().then_some(&self.product);
        self.items.iter().map(|item| &item.product).chain(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details() -> Details<'static> {
        Details {
            user: "ann",
            quantity: 2,
            points_cost: 10,
            product: Snapshot {
                id: "tea",
                name: "Tea",
                category_id: "food",
                points_price: 5,
                image: None,
                original_price_cents: None,
            },
            delivery_info: None,
            service: None,
            elsewhere: false,
        }
    }

    /// An array of five: `ann`, 2, 10, the product as an array of five, nil.
    const FIELDS: &[u8] = b"\x95\xa3ann\x02\x0a\x95\xa3tea\xa3Tea\xa4food\x05\xc0\xc0";

    #[test]
    fn details_keep_their_bytes() {
        let encoded = details().encode(&[]).expect("they can be written");
        assert_eq!(encoded, [b"\x01", FIELDS].concat());
        let served = Details { service: Some("till"), ..details() };
        let encoded = served.encode(&[]).expect("they can be written");
        assert_eq!(encoded, [b"\x01\x96", &FIELDS[1..], b"\xa4till"].concat());
    }

    #[test]
    fn details_of_every_version_are_read() {
        for bytes in [FIELDS.to_vec(), [b"\x01", FIELDS].concat()] {
            let read = OrderDetails::read(&bytes).expect("they are those of an order");
            assert_eq!((read.user.as_str(), read.quantity, read.points_cost), ("ann", 2, 10));
            assert_eq!((read.product.id.as_str(), read.product.points_price), ("tea", 5));
            assert_eq!((read.delivery_info, read.service), (None, None));
        }
        let served = [b"\x01\x96", &FIELDS[1..], b"\xa4till"].concat();
        let read = OrderDetails::read(&served).expect("with a service");
        assert_eq!(read.service.as_deref(), Some("till"));
        for other in [&b""[..], b"\x04", b"anything", &FIELDS[..9]] {
            assert_eq!(OrderDetails::read(other), None, "{other:?}");
        }
    }

    /// Would catch a price that shifts what comes after the product.
    #[test]
    fn a_product_keeps_its_original_price_where_it_has_one() {
        let product = Snapshot { original_price_cents: Some(300), ..details().product };
        let priced = Details { product, service: Some("till"), ..details() };
        let encoded = priced.encode(&[]).expect("they can be written");
        let fields =
            b"\x01\x96\xa3ann\x02\x0a\x96\xa3tea\xa3Tea\xa4food\x05\xc0\xcd\x01\x2c\xc0\xa4till";
        assert_eq!(encoded, fields);
        let read = OrderDetails::read(&encoded).expect("they are those of an order");
        assert_eq!(read.product.original_price_cents, Some(300));
        assert_eq!(read.service.as_deref(), Some("till"));
    }

    #[test]
    fn an_order_whose_points_are_elsewhere_keeps_its_bytes() {
        let elsewhere = Details { elsewhere: true, ..details() };
        let encoded = elsewhere.encode(&[]).expect("they can be written");
        assert_eq!(encoded, [b"\x03\x97", &FIELDS[1..], b"\xc0\x90"].concat());
        let read = OrderDetails::read(&encoded).expect("they are those of an order");
        assert_eq!((read.elsewhere, read.points_cost, read.items.len()), (true, 10, 0));
        let here = details().encode(&[]).expect("they can be written");
        assert!(!OrderDetails::read(&here).expect("they are those of an order").elsewhere);
    }

    #[test]
    fn a_basket_keeps_its_bytes() {
        let item = OrderItem { product: details().product, quantity: 2 };
        let encoded = details().encode(&[item]).expect("they can be written");
        let product = b"\x95\xa3tea\xa3Tea\xa4food\x05\xc0";
        let parts: [&[u8]; 5] =
            [b"\x02\x97\xa3ann\x02\x0a", product, b"\xc0\xc0\x91\x92", product, b"\x02"];
        assert_eq!(encoded, parts.concat());
        let read = OrderDetails::read(&encoded).expect("they are those of an order");
        assert_eq!((read.items.len(), read.items[0].quantity), (1, 2));
        assert_eq!(read.items[0].product.id, "tea");
    }
}
