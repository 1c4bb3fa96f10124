//! Views on their way to the sums.

use super::{QUEUE_MAX, SAMPLE, SAMPLED_FROM};
use crate::base::TimeMs;

/// Somebody looked at a product.
#[derive(Debug)]
pub(super) struct View {
    /// `None` for who has not said who it is.
    pub(super) user: Option<Box<str>>,
    pub(super) product: Box<str>,
    pub(super) at: TimeMs,
}

/// What was recorded since it was last emptied.
#[derive(Debug, Default)]
pub(super) struct Queue {
    views: Vec<View>,
    /// How many came while only some were taken.
    beyond: u64,
    dropped: u64,
}

impl Queue {
    pub(super) fn push(&mut self, view: View) {
        let is_taken = match self.views.len() {
            0..SAMPLED_FROM => true,
            SAMPLED_FROM..QUEUE_MAX => {
                self.beyond += 1;
                self.beyond.is_multiple_of(SAMPLE)
            }
            QUEUE_MAX.. => false,
        };
        if is_taken {
            self.views.push(view);
        } else {
            self.dropped += 1;
        }
    }

    /// Empties it: what was recorded, and how many views were not.
    pub(super) fn take(&mut self) -> (Vec<View>, u64) {
        let Self { views, beyond: _, dropped } = std::mem::take(self);
        (views, dropped)
    }

    /// Forgets what a user looked at; whether it looked at anything.
    pub(super) fn forget(&mut self, user: &str) -> bool {
        let before = self.views.len();
        self.views.retain(|view| view.user.as_deref() != Some(user));
        self.views.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(user: &str, at: TimeMs) -> View {
        View { user: Some(user.into()), product: "tea".into(), at }
    }

    #[test]
    fn beyond_a_bound_some_are_taken_and_beyond_the_next_none_and_each_counts() {
        let mut queue = Queue::default();
        let most = SAMPLED_FROM as u64 + SAMPLE * (QUEUE_MAX - SAMPLED_FROM) as u64;
        (0..most + 100).for_each(|at| queue.push(view("ann", at)));
        let (views, dropped) = queue.take();
        assert_eq!((views.len(), dropped), (QUEUE_MAX, most + 100 - QUEUE_MAX as u64));
        let is_in_order = views.is_sorted_by_key(|view| view.at);
        assert!(is_in_order && views[SAMPLED_FROM].at == SAMPLED_FROM as u64 + SAMPLE - 1);
        queue.push(view("ann", 1));
        assert_eq!(queue.take().0.len(), 1, "it begins anew");
    }

    #[test]
    fn what_a_user_looked_at_can_be_forgotten() {
        let mut queue = Queue::default();
        ["ann", "bob", "ann"].into_iter().for_each(|user| queue.push(view(user, 1)));
        assert!(queue.forget("ann") && !queue.forget("ann"));
        assert_eq!(queue.take().0.len(), 1);
    }
}
