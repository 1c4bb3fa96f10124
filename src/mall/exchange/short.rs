//! What an exchange lacks, and how that is told.

use super::Exchange;
use super::chosen::Chosen;
use super::part::Part;
use super::parts::Asked;
use crate::base::AccountId;
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::ledger::{Line, Refusal};
use crate::mall::{Failure, Lack, Mall, Short, Shortage, User};

impl Asked {
    /// Whether there were points enough when they were chosen, and another request of the user took
    /// some of them since; or their time has passed.
    pub(in crate::mall) fn was_overtaken(&self, refusal: &Refusal) -> bool {
        let is_points = self.parts.get(refusal.line).is_some_and(|(part, _)| *part == Part::Points);
        is_points && self.spendable.is_some_and(|spendable| spendable >= self.points_cost)
    }

    /// What the ledger refused. Of points in several accounts, what was there is what it was when
    /// they were chosen.
    fn refused(&self, request: &Exchange<'_>, refusal: Refusal) -> Result<Short> {
        let Some(&(part, line)) = self.parts.get(refusal.line) else {
            return Err(Error::unavailable("the engine refused a line that was not asked for"));
        };
        let Refusal { available, next_release_at, .. } = refusal;
        let shortage = match self.spendable.filter(|_| part == Part::Points) {
            Some(available) => Shortage::of(self.points_cost, available, next_release_at),
            None => Shortage::of(line.quantity, available, next_release_at),
        };
        Ok(Short::of(request, part, shortage))
    }
}

impl Mall {
    /// What is short of these lines at this moment.
    pub(super) fn short(
        &self,
        request: &Exchange<'_>,
        chosen: &[Chosen<'_>],
        parts: impl Iterator<Item = (Part, Line)>,
    ) -> Result<Vec<Short>> {
        let mut all = Vec::new();
        for (part, line) in parts {
            let available = self.engine().takeable(line.account)?;
            if available < line.quantity {
                let required = line.quantity;
                let shortage = Shortage::of(required, available, None);
                let shortage = self.with_line_of(chosen, part, shortage)?;
                all.push(Short::of(request, part, shortage));
            }
        }
        Ok(all)
    }

    /// What is short of the user's points at this moment.
    pub(super) fn points_short(
        &self,
        user: &User,
        owner: AccountId,
        request: &Exchange<'_>,
        required: u64,
    ) -> Result<Option<Short>> {
        if required == 0 {
            return Ok(None);
        }
        let available = self.spendable(user, owner)?;
        let shortage = Shortage::of(required, available, None);
        Ok((available < required).then(|| Short::of(request, Part::Points, shortage)))
    }

    /// What the ledger refused, and whatever else of a basket is short by then.
    pub(super) fn all_short(
        &self,
        user: &User,
        request: &Exchange<'_>,
        chosen: &[Chosen<'_>],
        asked: &Asked,
        refusal: Refusal,
    ) -> Result<Vec<Short>> {
        let mut first = asked.refused(request, refusal)?;
        if let Some(&(part, _)) = asked.parts.get(refusal.line) {
            first.shortage = self.with_line_of(chosen, part, first.shortage)?;
        }
        let is_points = first.lack == Lack::Points;
        let mut all = vec![first];
        if request.is_basket {
            if !is_points {
                all.extend(self.points_short(user, asked.owner, request, asked.points_cost)?);
            }
            let is_other = |at, part: Part| at != refusal.line && part != Part::Points;
            let others = asked.parts.iter().enumerate().filter(|(at, part)| is_other(*at, part.0));
            all.extend(self.short(request, chosen, others.map(|(_, part)| *part))?);
        }
        Ok(all)
    }

    /// That the user has too few points elsewhere.
    pub(in crate::mall) fn points_lacking(
        &self,
        request: &Exchange<'_>,
        points: u64,
        balance: u64,
    ) -> Failure {
        let shortage = Shortage::of(points, balance, None);
        told(request, vec![Short::of(request, Part::Points, shortage)])
    }

    /// What is short, with the line that one can join for it.
    fn with_line_of(
        &self,
        chosen: &[Chosen<'_>],
        part: Part,
        shortage: Shortage,
    ) -> Result<Shortage> {
        match part {
            Part::Stock(at) => match chosen.get(at) {
                Some(it) => self.with_line(it.item, shortage),
                None => Ok(shortage),
            },
            Part::Points | Part::Free | Part::ProductQuota(_) | Part::UserQuota => Ok(shortage),
        }
    }
}

impl Shortage {
    pub(in crate::mall) fn of(
        required: u64,
        available: u64,
        next_release_at: Option<TimeMs>,
    ) -> Self {
        Self { required, available, next_release_at, line: None }
    }
}

impl Short {
    pub(super) fn of(request: &Exchange<'_>, part: Part, shortage: Shortage) -> Self {
        let (lack, at) = match part {
            Part::Points => (Lack::Points, None),
            Part::Free | Part::UserQuota => (Lack::Limit, None),
            Part::ProductQuota(at) => (Lack::Limit, Some(at)),
            Part::Stock(at) => (Lack::Stock, Some(at)),
        };
        let product = at.and_then(|at| request.items.get(at));
        Self { lack, product_id: product.map(|it| it.product_id.to_owned()), shortage }
    }
}

/// The failure that tells what was short: of a basket each line, otherwise the first.
pub(super) fn told(request: &Exchange<'_>, short: Vec<Short>) -> Failure {
    match short.first() {
        Some(Short { lack, shortage, .. }) if !request.is_basket => {
            let shortage = shortage.clone();
            match lack {
                Lack::Points => Failure::InsufficientPoints(shortage),
                Lack::Limit => Failure::LimitExceeded(shortage),
                Lack::Stock => Failure::OutOfStock(shortage),
            }
        }
        _ => Failure::BasketShort(short),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Wanted;
    use super::super::part::Parts;
    use super::*;

    #[test]
    fn a_refusal_names_the_part_that_was_short() {
        let items = [Wanted { product_id: "tea", quantity: 2 }];
        let request = Exchange::of(&items);
        let line = |number| Line { account: AccountId::from_number(number), quantity: 2 };
        let parts: Parts =
            [(Part::Points, line(1)), (Part::ProductQuota(0), line(2)), (Part::Stock(0), line(3))]
                .into_iter()
                .collect();
        let owner = AccountId::from_number(1);
        let asked = |spendable| Asked { owner, parts: parts.clone(), points_cost: 2, spendable };
        let refusal = |line| Refusal {
            line,
            account: owner,
            available: 1,
            next_release_at: None,
            has_line: false,
        };
        let expected = Shortage::of(2, 1, None);
        for (line, want) in [
            (0, Failure::InsufficientPoints(expected.clone())),
            (1, Failure::LimitExceeded(expected.clone())),
            (2, Failure::OutOfStock(expected)),
        ] {
            let short = asked(None).refused(&request, refusal(line)).expect("a line of it");
            let told = told(&request, vec![short]);
            assert_eq!(format!("{told:?}"), format!("{want:?}"));
            assert!(!asked(Some(1)).was_overtaken(&refusal(line)), "there was too little");
            assert_eq!(asked(Some(2)).was_overtaken(&refusal(line)), line == 0);
        }
        let short = asked(Some(0)).refused(&request, refusal(0)).expect("a line of it");
        assert_eq!(short.shortage.available, 0, "of all the points there were none");
    }
}
