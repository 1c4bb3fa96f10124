//! `checkExchangeEligibility`: whether a user could exchange points for something now.

use serde::Serialize;

use crate::base::{QUANTITY_MAX, TimeMs};
use crate::http::call::{Call, UserCall};
use crate::http::error::{ApiError, Code, WaitingListWire, lacking};
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::{Eligible, Hindrance, ORDER_QUANTITY_MAX, User, Wanted};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EligibilityWire<'a> {
    user_id: &'a str,
    eligible: bool,
    points_required: u64,
    current_balance: i64,
    shortage: u64,
    mall_level: u8,
    /// In the order in which an exchange would be refused for them.
    reasons: Vec<ReasonWire>,
}

/// What an exchange would be refused for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReasonWire {
    code: &'static str,
    required: Option<u64>,
    available: Option<u64>,
    /// When the sale begins, where it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    sale_starts_at: Option<TimeMs>,
    /// Where one can wait for what is sold out, or others do.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_list: Option<WaitingListWire>,
}

impl ReasonWire {
    fn of_code(code: Code) -> Self {
        let code = code.row().name;
        Self { code, required: None, available: None, sale_starts_at: None, waiting_list: None }
    }

    fn of(hindrance: Hindrance) -> Self {
        match hindrance {
            Hindrance::OffShelf => Self::of_code(Code::ProductNotFound),
            Hindrance::SaleNotStarted(at) => {
                Self { sale_starts_at: Some(at), ..Self::of_code(Code::SaleNotStarted) }
            }
            Hindrance::Short(lack, shortage) => Self {
                required: Some(shortage.required),
                available: Some(shortage.available),
                waiting_list: shortage.line.map(Into::into),
                ..Self::of_code(lacking(lack))
            },
        }
    }
}

pub(in crate::http) async fn check(call: UserCall<'_>) -> Answer {
    check_of(&call, &call.identity().user).await
}

pub(in crate::http) async fn check_of<Who, const N: usize>(
    call: &Call<'_, Who, N>,
    user: &User,
) -> Answer {
    let (mut points, mut product, mut quantity) = (None, None, None);
    for (name, value) in call.query()? {
        match name.as_str() {
            "points" => points = Some(query::number(&name, &value, 0..=QUANTITY_MAX)?),
            "product_id" => product = Some(query::short(&name, value)?),
            "quantity" => quantity = Some(query::number(&name, &value, 1..=ORDER_QUANTITY_MAX)?),
            _ => return Err(query::unknown(&name)),
        }
    }
    let asked = match (points, &product, quantity) {
        (Some(points), None, None) => Eligible::Points(points),
        (None, Some(product_id), quantity) => {
            Eligible::Product(Wanted { product_id, quantity: quantity.unwrap_or(1) })
        }
        (None, None, _) | (Some(_), _, _) => {
            return Err(ApiError::invalid("a check is of points, or of product_id and quantity"));
        }
    };
    let found = call.app.mall.eligibility(user, asked).await?;
    Ok(call.success(&EligibilityWire {
        user_id: user.id(),
        eligible: found.hindrances.is_empty(),
        points_required: found.required,
        current_balance: found.balance,
        shortage: found.shortage(),
        mall_level: found.level,
        reasons: found.hindrances.into_iter().map(ReasonWire::of).collect(),
    }))
}
