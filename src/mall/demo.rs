//! The demo catalogue of the mall's own document.

use super::model::{Category, Product};
use super::{Mall, User};
use crate::base::error::Result;
use crate::base::{AccountId, TimeMs};
use crate::ledger::Command;
use crate::ledger::Receive;

/// The user that has points in the demo.
pub(crate) const DEMO_USER: &str = "demo";
const DEMO_POINTS: u64 = 1_000_000;

/// A category of the demo.
struct DemoCategory {
    id: &'static str,
    name: &'static str,
    description: &'static str,
    /// Those at the top have an icon, the others a parent.
    tier: Tier,
    sort_order: i64,
}

enum Tier {
    Top { icon: &'static str },
    Below { parent_id: &'static str },
}

static CATEGORIES: [DemoCategory; 9] = [
    DemoCategory {
        id: "cat_digital",
        name: "数码产品",
        description: "手机、电脑、智能设备",
        tier: Tier::Top { icon: "/icons/digital.png" },
        sort_order: 1,
    },
    DemoCategory {
        id: "cat_food",
        name: "美食优惠",
        description: "餐饮券、零食、特产",
        tier: Tier::Top { icon: "/icons/food.png" },
        sort_order: 2,
    },
    DemoCategory {
        id: "cat_life",
        name: "生活用品",
        description: "日用品、家居、个护",
        tier: Tier::Top { icon: "/icons/life.png" },
        sort_order: 3,
    },
    DemoCategory {
        id: "cat_entertainment",
        name: "娱乐服务",
        description: "电影票、游戏、会员",
        tier: Tier::Top { icon: "/icons/entertainment.png" },
        sort_order: 4,
    },
    DemoCategory {
        id: "cat_travel",
        name: "出行服务",
        description: "打车券、加油卡、旅游",
        tier: Tier::Top { icon: "/icons/travel.png" },
        sort_order: 5,
    },
    DemoCategory {
        id: "cat_mobile",
        name: "手机通讯",
        description: "智能手机、配件",
        tier: Tier::Below { parent_id: "cat_digital" },
        sort_order: 1,
    },
    DemoCategory {
        id: "cat_computer",
        name: "电脑办公",
        description: "笔记本、台式机、配件",
        tier: Tier::Below { parent_id: "cat_digital" },
        sort_order: 2,
    },
    DemoCategory {
        id: "cat_snack",
        name: "休闲零食",
        description: "坚果、饼干、糖果",
        tier: Tier::Below { parent_id: "cat_food" },
        sort_order: 1,
    },
    DemoCategory {
        id: "cat_beverage",
        name: "饮品茶饮",
        description: "咖啡、茶叶、饮料",
        tier: Tier::Below { parent_id: "cat_food" },
        sort_order: 2,
    },
];

/// A product of the demo.
struct DemoProduct {
    id: &'static str,
    name: &'static str,
    description: &'static str,
    category_id: &'static str,
    points_price: u64,
    price_cents: u64,
    stock: u64,
    is_hot: bool,
    is_new: bool,
}

static PRODUCTS: [DemoProduct; 5] = [
    DemoProduct {
        id: "prod_iphone15",
        name: "iPhone 15 Pro 256GB",
        description: "最新款iPhone 15 Pro",
        category_id: "cat_mobile",
        points_price: 999_900,
        price_cents: 999_900,
        stock: 10,
        is_hot: true,
        is_new: true,
    },
    DemoProduct {
        id: "prod_airpods",
        name: "AirPods Pro 2",
        description: "主动降噪无线耳机",
        category_id: "cat_mobile",
        points_price: 189_900,
        price_cents: 189_900,
        stock: 50,
        is_hot: true,
        is_new: false,
    },
    DemoProduct {
        id: "prod_starbucks",
        name: "星巴克大杯拿铁券",
        description: "全国门店通用",
        category_id: "cat_beverage",
        points_price: 3_500,
        price_cents: 3_500,
        stock: 1_000,
        is_hot: false,
        is_new: false,
    },
    DemoProduct {
        id: "prod_kfc",
        name: "KFC全家桶券",
        description: "9块鸡+薯条+可乐",
        category_id: "cat_food",
        points_price: 8_900,
        price_cents: 8_900,
        stock: 500,
        is_hot: true,
        is_new: false,
    },
    DemoProduct {
        id: "prod_movie",
        name: "电影票通用券",
        description: "全国影院通用",
        category_id: "cat_entertainment",
        points_price: 4_500,
        price_cents: 4_500,
        stock: 2_000,
        is_hot: false,
        is_new: true,
    },
];

/// Adds what is missing; what an operator changed since stays.
pub(super) fn load(mall: &Mall) -> Result<()> {
    for demo in &CATEGORIES {
        if mall.shelf().category(demo.id).is_none() {
            mall.put_category(&category(demo))?;
        }
    }
    let now_ms = mall.now_ms();
    for demo in &PRODUCTS {
        if mall.shelf().any_item(demo.id).is_none() {
            mall.put_product(&product(demo, now_ms))?;
        }
        if let Some(item) = mall.shelf().item(demo.id) {
            receive_once(mall, item.stock, demo.stock)?;
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

fn category(demo: &DemoCategory) -> Category {
    let (icon, parent_id, level) = match demo.tier {
        Tier::Top { icon } => (Some(icon.into()), None, 1),
        Tier::Below { parent_id } => (None, Some(parent_id.into()), 2),
    };
    Category {
        description: demo.description.into(),
        icon,
        parent_id,
        level,
        sort_order: demo.sort_order,
        ..Category::new(demo.id, demo.name)
    }
}

fn product(demo: &DemoProduct, created_at: TimeMs) -> Product {
    Product {
        description: demo.description.into(),
        original_price_cents: Some(demo.price_cents),
        is_hot: demo.is_hot,
        is_new: demo.is_new,
        created_at,
        ..Product::new(demo.id, demo.name, demo.category_id, demo.points_price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_demo_product_is_in_a_demo_category() {
        let is_there = |id: &str| CATEGORIES.iter().any(|category| category.id == id);
        for product in &PRODUCTS {
            assert!(is_there(product.category_id), "{} has a category", product.id);
        }
        for category in &CATEGORIES {
            match category.tier {
                Tier::Top { .. } => {}
                Tier::Below { parent_id } => assert!(is_there(parent_id), "{}", category.id),
            }
        }
    }
}
