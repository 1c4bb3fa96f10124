//! Would catch a field that is read as another, a violation told with the wrong path, and a patch
//! that is not that of the RFC.

use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

fn full() -> Value {
    json!({
        "id": "tea", "name": "Tea", "description": "Green\nfresh", "categoryId": "food", "pointsPrice": 0,
        "originalPrice": 19.9, "images": ["/a.png"], "specifications": {"重量": 1.5, "n": {"deep": [1, null]}},
        "isHot": true, "isNew": false, "status": 0, "sortOrder": -3,
        "limitPerUser": {"quantity": 2, "period": {"fixed": {"lengthMs": 1000, "offsetMs": 5}}},
        "byLevel": {"2": {"pointsPrice": 7}, "10": {"limitPerUser": {"quantity": 3, "period": "lifetime"}}}, "lowStockThreshold": 8,
        "waitingPlaces": 20, "saleStartsAt": 9, "createdAt": 7
    })
}

#[test]
fn what_is_shown_reads_back() {
    let product = read_product(None, object(full())).expect("a valid product");
    assert_eq!(product.original_price_cents, Some(1990));
    assert!(!product.active);
    let shown = members(&ProductFields::of(&product));
    assert_eq!(Value::Object(shown.clone()), full());
    assert_eq!(read_product(Some("tea"), shown).expect("it reads back"), product);
    let category = json!({
        "id": "a", "name": "A", "description": "", "icon": "/i.png", "parentId": "b", "sortOrder": 4, "status": 1
    });
    let read = read_category(None, object(category.clone())).expect("a valid category");
    assert_eq!(Value::Object(members(&CategoryFields::of(&read))), category);
}

#[test]
fn a_field_that_is_wrong_is_named_by_its_path() {
    for (patch, path) in [
        (json!({"id": null}), "$.id"),
        (json!({"id": 7}), "$.id"),
        (json!({"name": null}), "$.name"),
        (json!({"name": ["x"]}), "$.name"),
        (json!({"description": 1}), "$.description"),
        (json!({"categoryId": null}), "$.categoryId"),
        (json!({"pointsPrice": null}), "$.pointsPrice"),
        (json!({"pointsPrice": -1}), "$.pointsPrice"),
        (json!({"pointsPrice": 1.5}), "$.pointsPrice"),
        (json!({"pointsPrice": "5"}), "$.pointsPrice"),
        (json!({"pointsPrice": (1_u64 << 48) + 1}), "$.pointsPrice"),
        (json!({"originalPrice": 1.234}), "$.originalPrice"),
        (json!({"originalPrice": -1}), "$.originalPrice"),
        (json!({"originalPrice": 1e20}), "$.originalPrice"),
        (json!({"images": "x"}), "$.images"),
        (json!({"images": ["/a", 3]}), "$.images[1]"),
        (json!({"specifications": []}), "$.specifications"),
        (json!({"isHot": 1}), "$.isHot"),
        (json!({"isNew": "true"}), "$.isNew"),
        (json!({"status": 2}), "$.status"),
        (json!({"status": true}), "$.status"),
        (json!({"sortOrder": 1_u64 << 31}), "$.sortOrder"),
        (json!({"limitPerUser": 2}), "$.limitPerUser"),
        (json!({"limitPerUser": {"quantity": 0}}), "$.limitPerUser.quantity"),
        (json!({"limitPerUser": {"quantity": null}}), "$.limitPerUser.quantity"),
        (json!({"limitPerUser": {"period": "weekly"}}), "$.limitPerUser.period"),
        (json!({"limitPerUser": {"period": {"fixed": null}}}), "$.limitPerUser.period"),
        (json!({"limitPerUser": {"period": {"weekly": {}}}}), "$.limitPerUser.period.weekly"),
        (
            json!({"limitPerUser": {"period": {"fixed": {"lengthMs": 0}}}}),
            "$.limitPerUser.period.fixed.lengthMs",
        ),
        (json!({"limitPerUser": {"colour": 1}}), "$.limitPerUser.colour"),
        (json!({"lowStockThreshold": 0}), "$.lowStockThreshold"),
        (json!({"lowStockThreshold": true}), "$.lowStockThreshold"),
        (json!({"lowStockThreshold": (1_u64 << 48) + 1}), "$.lowStockThreshold"),
        (json!({"waitingPlaces": 1001}), "$.waitingPlaces"),
        (json!({"saleStartsAt": "2026-11-11"}), "$.saleStartsAt"),
        (json!({"saleStartsAt": -1}), "$.saleStartsAt"),
        (json!({"createdAt": -1}), "$.createdAt"),
        (json!({"colour": "red"}), "$.colour"),
        (json!({"sales count": 1}), "$[\"sales count\"]"),
    ] {
        let members = merged(object(full()), object(patch.clone()));
        let violation = read_product(None, members).expect_err("it is wrong");
        assert_eq!(violation.path, path, "{patch}: {violation}");
    }
    let violation = read_product(Some("cup"), object(full())).expect_err("it is another's");
    assert_eq!(violation.path, "$.id");
}

#[test]
fn a_whole_number_may_be_written_as_a_float_and_a_price_as_neither() {
    let read = |patch: Value| read_product(None, merged(object(full()), object(patch)));
    let product = read(json!({"pointsPrice": 437.0, "originalPrice": 35})).expect("valid");
    assert_eq!((product.points_price, product.original_price_cents), (437, Some(3500)));
    for (price, cents) in [(json!(0), 0), (json!(0.05), 5), (json!(99999999.99), 9_999_999_999)] {
        let product = read(json!({"originalPrice": price})).expect("valid");
        assert_eq!(product.original_price_cents, Some(cents));
    }
}

/// The examples of RFC 7396, appendix A, whose target and patch are objects.
#[test]
fn a_patch_is_that_of_the_rfc() {
    for (target, patch, result) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ] {
        let merged = merged(object(target.clone()), object(patch.clone()));
        assert_eq!(Value::Object(merged), result, "{target} and {patch}");
    }
}
