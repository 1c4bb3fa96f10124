//! Orders whose payment came after their deadline: they take again what they held, when it is there.

use super::{Order, Receipt, points_of};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{AccountId, AccountKey, AccountKind, IdempotencyKey, LINES_MAX, ReservationId};
use crate::event::Window;
use crate::history::record::{RecordLine, ReservationRecord};
use crate::ledger::{Line, Reacquire, ReacquireOutcome, Refusal};
use crate::mall::facts::{OrderFact, ServiceWish};
use crate::mall::lots::Spending;
use crate::mall::model::{OrderStatus, Wish};
use crate::mall::{Failure, Lack, Mall, Short, Shortage, User};

/// How often the points are chosen anew, since another request of the user was faster.
const CHOSEN_ANEW_MAX: usize = 32;

impl Mall {
    /// As [`Mall::confirm`]; an order that has expired takes its points, limit and stock again, all of
    /// it or nothing, and is confirmed under its own number. Whoever is told what was short knows for
    /// good that nothing was taken.
    pub(crate) async fn confirm_late(
        &self,
        user: &User,
        reservation: ReservationId,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        match self.confirm(user, reservation, key).await {
            // Its expiry is durable.
            Err(Failure::Expired) => {}
            settled => return settled,
        }
        let owner = user.points(self.engine()).ok_or(Failure::OrderNotFound)?;
        let record = self.any_record(reservation).await?;
        let now = self.now_ms();
        let order = Order::of(&record, now)?;
        if order.details.elsewhere && order.status == OrderStatus::Expired {
            // Its points went back, or do so: only another order can take them.
            return Err(Failure::Expired);
        }
        let window = self.config().reacquire_window_ms;
        // At the end of the window it is over, as at a deadline.
        if now >= order.expires_at.saturating_add(window) {
            return Err(Failure::PaidTooLate);
        }
        self.put_late_service_on_record(user, owner, &order).await?;
        self.bring_limits_up_to_date(&record)?;
        let asked = Reacquire::new(reservation).owner(owner).key(key);
        let mut outcome = self.durable(self.engine().reacquire(asked)?).await?;
        for _ in 0..=CHOSEN_ANEW_MAX {
            let ReacquireOutcome::Refused(_) = outcome else {
                break;
            };
            let Some(takes) = self.of_other_lots(user, owner, &record, &order)? else {
                break;
            };
            outcome = self.durable(self.engine().reacquire_with(asked, &takes)?).await?;
        }
        match outcome {
            ReacquireOutcome::Revived { .. } | ReacquireOutcome::Confirmed { .. } => {
                Ok(order.receipt().now(OrderStatus::Confirmed))
            }
            ReacquireOutcome::Refused(refusal) => {
                let short = self.short_again(user, owner, &record, refusal)?;
                Err(Failure::BasketShort(short))
            }
            // Another try was faster.
            ReacquireOutcome::StillPending { .. } | ReacquireOutcome::NotExpired { .. } => {
                let order = self.order(user, reservation).await?;
                match order.status.on_confirm() {
                    Wish::Already => Ok(order.receipt()),
                    Wish::TooLate => Err(Failure::Expired),
                    Wish::GivesBack | Wish::Refused => Err(Failure::OrderStatus(order.status)),
                }
            }
        }
    }

    /// What the order may take instead, where its points are not to be had where they were: of the
    /// lots that are good, those that end first. `None` where that is no help: there are too few of
    /// them, or something else is short.
    fn of_other_lots(
        &self,
        user: &User,
        owner: AccountId,
        record: &ReservationRecord,
        order: &Order,
    ) -> Result<Option<Vec<Line>>, Failure> {
        let of_points = points_of(record, &order.details);
        let others = &record.lines[of_points.len()..];
        let cost: u64 = of_points.iter().map(|line| line.quantity).sum();
        let Spending { lines, spendable } = self.spending(user, owner, cost)?;
        let have = |line: &RecordLine| Ok::<_, Error>(self.there(line)? >= line.quantity);
        let spendable = match spendable {
            Some(spendable) => spendable,
            None => self.engine().takeable(owner)?,
        };
        let has_others =
            others.iter().try_fold(true, |all, line| Ok::<_, Error>(all && have(line)?))?;
        if spendable < cost || !has_others {
            return Ok(None);
        }
        if lines.len() + others.len() > LINES_MAX {
            return Err(Failure::TooManyLots(format!(
                "an order takes its points, and what else it takes, of {LINES_MAX} accounts at most"
            )));
        }
        let line = |line: &RecordLine| Line { account: line.account, quantity: line.quantity };
        Ok(Some(lines.into_iter().chain(others.iter().map(line)).collect()))
    }

    /// Puts on record that a service asks for it in the user's name, before it is done; once, however
    /// often it is asked for.
    async fn put_late_service_on_record(
        &self,
        user: &User,
        owner: AccountId,
        order: &Order,
    ) -> Result<(), Failure> {
        let Some(service) = user.service() else {
            return Ok(());
        };
        let fact = OrderFact::Served { service: service.to_owned(), wish: ServiceWish::Confirm };
        if order.facts.iter().all(|(_, told)| *told != fact) {
            self.record(order.reservation, Some(owner), &fact, None).await?;
        }
        Ok(())
    }

    /// Gives the limits that an order counted against the rules that hold now, as an exchange does.
    fn bring_limits_up_to_date(&self, record: &ReservationRecord) -> Result<()> {
        for line in &record.lines {
            let level = self.engine().level(line.account)?;
            if !level.closed && level.key.product().is_some() {
                self.bring_to_rule(line.account, &level.key, level.policy)?;
            }
        }
        Ok(())
    }

    /// What the ledger refused, and then whatever else of the order is short by then.
    fn short_again(
        &self,
        user: &User,
        owner: AccountId,
        record: &ReservationRecord,
        refusal: Refusal,
    ) -> Result<Vec<Short>> {
        let (mut refused, mut others) = (Vec::new(), Vec::new());
        let mut points: Option<Shortage> = None;
        let shelf = self.shelf();
        for line in &record.lines {
            let is_refused = line.account == refusal.account;
            let (available, next_release_at) = match is_refused {
                true => (refusal.available, refusal.next_release_at),
                false => (self.there(line)?, None),
            };
            let shortage = Shortage::of(line.quantity, available, next_release_at);
            let (lack, product_id) = self.lack_of(record, line);
            let product = product_id.as_deref().filter(|_| lack == Lack::Stock);
            let shortage = match product.and_then(|id| shelf.any_item(id)) {
                Some(item) => self.with_line(item, shortage)?,
                None => shortage,
            };
            match lack {
                // However many ends they have, they are one line to the user.
                Lack::Points => {
                    points = Some(match points {
                        Some(so_far) => both(&so_far, &shortage),
                        None => shortage,
                    });
                }
                _ if is_refused => refused.push(Short { lack, product_id, shortage }),
                _ => others.push(Short { lack, product_id, shortage }),
            }
        }
        let points = match points {
            Some(points) if self.has_lots(user) => {
                Some(self.short_of_any(user, owner, &points, refusal)?)
            }
            points => points,
        };
        let points =
            points.map(|shortage| Short { lack: Lack::Points, product_id: None, shortage });
        let all = refused.into_iter().chain(points).chain(others);
        Ok(all.filter(|it| it.shortage.available < it.shortage.required).collect())
    }

    /// What is short of points, where any of the user's would do.
    fn short_of_any(
        &self,
        user: &User,
        owner: AccountId,
        points: &Shortage,
        refusal: Refusal,
    ) -> Result<Shortage> {
        let key = self.engine().key_of(refusal.account);
        let is_refused = key.is_some_and(|key| key.kind() == AccountKind::Points);
        // More may have come since it was refused.
        let most = if is_refused { points.required.saturating_sub(1) } else { u64::MAX };
        let there = self.spendable(user, owner)?.min(most);
        Ok(Shortage::of(points.required, there, points.next_release_at))
    }

    /// How many units of a line can be had now. What is confirmed at once never waits, and does not
    /// count against a cap on what does; of what is closed there is nothing.
    fn there(&self, line: &RecordLine) -> Result<u64> {
        let level = self.engine().level(line.account)?;
        if level.policy.window == Window::Outstanding && !level.closed {
            return Ok(u64::MAX);
        }
        match self.engine().takeable(line.account) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            takeable => takeable,
        }
    }

    /// Of what a line is, and of which product.
    fn lack_of(&self, record: &ReservationRecord, line: &RecordLine) -> (Lack, Option<String>) {
        let key = self.engine().key_of(line.account);
        let key = key.as_ref();
        let (lack, product) = match key.map(AccountKey::kind) {
            _ if Some(line.account) == record.owner => (Lack::Points, None),
            Some(AccountKind::Points) => (Lack::Points, None),
            Some(AccountKind::Quota) => (Lack::Limit, key.and_then(AccountKey::product)),
            Some(AccountKind::Stock | AccountKind::Custom) | None => {
                (Lack::Stock, key.map(AccountKey::owner))
            }
        };
        (lack, product.map(str::to_owned))
    }
}

/// Points that are in two accounts: what there is more of one is none of the other.
fn both(one: &Shortage, other: &Shortage) -> Shortage {
    let there = |it: &Shortage| it.available.min(it.required);
    Shortage::of(
        one.required.saturating_add(other.required),
        there(one).saturating_add(there(other)),
        one.next_release_at.or(other.next_release_at),
    )
}
