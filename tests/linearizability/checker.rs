//! Is a concurrent history one that a sequential program could have had? The search of Wing and
//! Gong ("Testing and Verifying Concurrent Objects", 1993): of the operations that no other one
//! wholly precedes, some one took effect first. With Lowe's memory ("Testing for linearizability",
//! 2017): a set of operations that led to a state once need not lead to it again.

use std::collections::HashMap;

/// An operation between its call and its return, on the clock that all threads of the history
/// share.
#[derive(Clone, Debug)]
pub struct Timed<O> {
    pub called: u64,
    pub returned: u64,
    pub op: O,
}

/// What cannot be explained.
#[derive(Debug)]
pub struct Stuck {
    /// The longest beginning that can be explained, as indices in order.
    pub explained: Vec<usize>,
}

/// The most operations of one history.
pub const OPERATIONS_MAX: usize = u128::BITS as usize;
/// The most states that are looked at: a history that needs more is too wide to be a good test.
const STATES_MAX: usize = 1 << 20;

struct Search<'a, O, S, F> {
    history: &'a [Timed<O>],
    step: F,
    /// States that led nowhere, by the set of operations that came before.
    seen: HashMap<u128, Vec<S>>,
    states: usize,
    path: Vec<usize>,
    longest: Vec<usize>,
}

/// Looks for an order that explains the history, in which an operation that returned before another
/// was called comes before it. `step` gives the states that an operation with its recorded answer
/// can lead to: none when the answer is wrong in the state before it.
///
/// # Errors
/// The longest explanation of a part, when there is none of the whole.
pub fn linearize<O, S: Clone + Eq>(
    history: &[Timed<O>],
    start: S,
    step: impl Fn(&S, &O) -> Vec<S>,
) -> Result<(), Stuck> {
    assert!(history.len() <= OPERATIONS_MAX, "a history of {} operations", history.len());
    let mut search = Search {
        history,
        step,
        seen: HashMap::new(),
        states: 0,
        path: Vec::new(),
        longest: Vec::new(),
    };
    if search.explains(0, &start) { Ok(()) } else { Err(Stuck { explained: search.longest }) }
}

impl<O, S: Clone + Eq, F: Fn(&S, &O) -> Vec<S>> Search<'_, O, S, F> {
    /// Whether what is not in `done` can come after `state`.
    fn explains(&mut self, done: u128, state: &S) -> bool {
        if self.path.len() == self.history.len() {
            return true;
        }
        let seen = self.seen.entry(done).or_default();
        if seen.contains(state) {
            return false;
        }
        seen.push(state.clone());
        self.states += 1;
        assert!(self.states <= STATES_MAX, "the history is too wide to be searched");
        let left = |at: &usize| done & (1 << at) == 0;
        let open = (0..self.history.len()).filter(left);
        let first_return =
            open.clone().map(|at| self.history[at].returned).min().expect("some are left");
        let candidates: Vec<usize> =
            open.filter(|at| self.history[*at].called <= first_return).collect();
        for at in candidates {
            self.path.push(at);
            for next in (self.step)(state, &self.history[at].op) {
                if self.path.len() > self.longest.len() {
                    self.longest.clone_from(&self.path);
                }
                if self.explains(done | 1 << at, &next) {
                    return true;
                }
            }
            self.path.pop();
        }
        false
    }
}

/// How many pairs of operations overlap: without any, every history is sequential and proves
/// little.
pub fn overlaps<O>(history: &[Timed<O>]) -> usize {
    let pairs = history
        .iter()
        .enumerate()
        .flat_map(|(at, one)| history[..at].iter().map(move |other| (one, other)));
    pairs.filter(|(one, other)| one.called < other.returned && other.called < one.returned).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Register {
        Write(u32),
        Read(u32),
    }
    use Register::{Read, Write};

    fn check(history: &[(u64, u64, Register)]) -> bool {
        let timed = |&(called, returned, op)| Timed { called, returned, op };
        let history: Vec<_> = history.iter().map(timed).collect();
        let step = |state: &u32, op: &Register| match op {
            Write(value) => vec![*value],
            Read(value) => Vec::from_iter((value == state).then_some(*state)),
        };
        linearize(&history, 0, step).is_ok()
    }

    #[test]
    fn it_tells_what_can_be_from_what_cannot() {
        assert!(check(&[]));
        assert!(check(&[(0, 1, Write(1)), (2, 3, Read(1))]));
        assert!(!check(&[(0, 1, Write(1)), (2, 3, Read(0))]), "a stale read");
        assert!(
            check(&[(0, 9, Write(1)), (1, 2, Read(0)), (3, 4, Read(1))]),
            "in the middle of the write"
        );
        assert!(!check(&[(0, 9, Write(1)), (1, 2, Read(1)), (3, 4, Read(0))]), "back and forth");
        assert!(!check(&[(0, 9, Read(1)), (10, 11, Write(1))]), "read before it was written");
        // Two writers, and readers that disagree on their order.
        let writers = [(0, 20, Write(1)), (0, 20, Write(2))];
        let reads = |values: [u32; 4]| {
            [(1, 2, values[0]), (3, 4, values[1]), (5, 6, values[2]), (7, 8, values[3])]
        };
        let with = |values| {
            let reads = reads(values)
                .into_iter()
                .map(|(called, returned, value)| (called, returned, Read(value)));
            check(&writers.into_iter().chain(reads).collect::<Vec<_>>())
        };
        assert!(with([0, 1, 2, 2]) && with([0, 0, 2, 1]));
        assert!(!with([1, 2, 1, 2]) && !with([2, 1, 0, 0]));
    }
}
