//! The demo catalogue of the mall's own document.

use super::{Category, Mall, Product, User};
use crate::base::AccountId;
use crate::base::error::Result;
use crate::ledger::Command;
use crate::ledger::Receive;

/// The user that has points in the demo.
pub(crate) const DEMO_USER: &str = "demo";
const DEMO_POINTS: u64 = 1_000_000;

/// id, name, description, icon, parent, level, sort order.
type CategoryRow = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    u32,
    i64,
);

const CATEGORIES: [CategoryRow; 9] = [
    ("cat_digital", "数码产品", "手机、电脑、智能设备", Some("/icons/digital.png"), None, 1, 1),
    ("cat_food", "美食优惠", "餐饮券、零食、特产", Some("/icons/food.png"), None, 1, 2),
    ("cat_life", "生活用品", "日用品、家居、个护", Some("/icons/life.png"), None, 1, 3),
    (
        "cat_entertainment",
        "娱乐服务",
        "电影票、游戏、会员",
        Some("/icons/entertainment.png"),
        None,
        1,
        4,
    ),
    ("cat_travel", "出行服务", "打车券、加油卡、旅游", Some("/icons/travel.png"), None, 1, 5),
    ("cat_mobile", "手机通讯", "智能手机、配件", None, Some("cat_digital"), 2, 1),
    ("cat_computer", "电脑办公", "笔记本、台式机、配件", None, Some("cat_digital"), 2, 2),
    ("cat_snack", "休闲零食", "坚果、饼干、糖果", None, Some("cat_food"), 2, 1),
    ("cat_beverage", "饮品茶饮", "咖啡、茶叶、饮料", None, Some("cat_food"), 2, 2),
];

/// id, name, description, category, points, price in cents, stock, hot, new.
type ProductRow =
    (&'static str, &'static str, &'static str, &'static str, u64, u64, u64, bool, bool);

const PRODUCTS: [ProductRow; 5] = [
    (
        "prod_iphone15",
        "iPhone 15 Pro 256GB",
        "最新款iPhone 15 Pro",
        "cat_mobile",
        999_900,
        999_900,
        10,
        true,
        true,
    ),
    (
        "prod_airpods",
        "AirPods Pro 2",
        "主动降噪无线耳机",
        "cat_mobile",
        189_900,
        189_900,
        50,
        true,
        false,
    ),
    (
        "prod_starbucks",
        "星巴克大杯拿铁券",
        "全国门店通用",
        "cat_beverage",
        3_500,
        3_500,
        1_000,
        false,
        false,
    ),
    ("prod_kfc", "KFC全家桶券", "9块鸡+薯条+可乐", "cat_food", 8_900, 8_900, 500, true, false),
    (
        "prod_movie",
        "电影票通用券",
        "全国影院通用",
        "cat_entertainment",
        4_500,
        4_500,
        2_000,
        false,
        true,
    ),
];

/// Adds what is missing; what an operator changed since stays.
pub(super) fn load(mall: &Mall) -> Result<()> {
    for row in CATEGORIES {
        if mall.shelf().category(row.0).is_none() {
            mall.put_category(&category(row))?;
        }
    }
    let now_ms = mall.now_ms();
    for row in PRODUCTS {
        if mall.shelf().any_item(row.0).is_none() {
            mall.put_product(&product(row, now_ms))?;
        }
        if let Some(item) = mall.shelf().item(row.0) {
            receive_once(mall, item.stock, row.6)?;
        }
    }
    let demo = User::new(DEMO_USER)?;
    let points = super::account(mall.engine(), &demo.points_key)?;
    receive_once(mall, points, DEMO_POINTS)
}

fn receive_once(mall: &Mall, account: AccountId, quantity: u64) -> Result<()> {
    if mall.engine().level(account)?.received == 0 {
        mall.engine()
            .execute(&Command::Receive(Receive {
                account, quantity, note: "演示数据", key: None
            }))?
            .wait()?;
    }
    Ok(())
}

fn category((id, name, description, icon, parent_id, level, sort_order): CategoryRow) -> Category {
    Category {
        id: id.into(),
        name: name.into(),
        description: description.into(),
        icon: icon.map(Into::into),
        parent_id: parent_id.map(Into::into),
        level,
        sort_order,
        active: true,
    }
}

fn product(row: ProductRow, created_at: u64) -> Product {
    let (id, name, description, category_id, points_price, cents, _stock, is_hot, is_new) = row;
    Product {
        id: id.into(),
        name: name.into(),
        description: description.into(),
        category_id: category_id.into(),
        points_price,
        original_price_cents: Some(cents),
        images: Vec::new(),
        specifications: serde_json::Map::new(),
        is_hot,
        is_new,
        active: true,
        sort_order: 0,
        limit_per_user: None,
        created_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_demo_product_is_in_a_demo_category() {
        for row in PRODUCTS {
            assert!(
                CATEGORIES.iter().any(|category| category.0 == row.3),
                "{} has a category",
                row.0
            );
        }
        for row in CATEGORIES {
            assert!(
                row.4.is_none_or(|parent| CATEGORIES.iter().any(|category| category.0 == parent)),
                "{}",
                row.0
            );
        }
    }
}
