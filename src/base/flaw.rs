//! Deliberate mistakes: a test that never saw one caught proves little. Unit tests make one at a
//! time, on the thread that asks for it. With the feature `test-util` a process can be told at its
//! beginning to make one, for tests that kill processes. In every other build the question whether
//! one is made is a constant.

/// The mistakes, and a list of all of them, so that none is forgotten by the test that looks for
/// each.
macro_rules! flaws {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// A mistake in the engine, with the invariant of `docs/architecture.md` that it breaks.
        #[cfg_attr(
            not(any(test, feature = "test-util")),
            allow(dead_code, reason = "one is made in code for tests only")
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Flaw {
            $($(#[doc = $doc])* $name,)*
        }

        impl Flaw {
            /// Every mistake.
            #[cfg(all(test, not(stockhold_loom)))]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The mistake of this name.
            #[cfg(all(feature = "test-util", not(test)))]
            fn named(name: &str) -> Option<Self> {
                let all = [$((stringify!($name), Self::$name)),*];
                all.into_iter().find(|(its, _)| *its == name).map(|(_, flaw)| flaw)
            }
        }
    };
}

flaws! {
    /// 1: takes a unit more than there is.
    Oversells,
    /// 2: gives back what lapsed, and puts it into the journal after the next event.
    LogsLate,
    /// 2: lets things happen at the machine's time before the journal's is set back to it.
    MendsLate,
    /// 3: acknowledges what was written and not synced.
    AcknowledgesUnsynced,
    /// 3: writes into a segment whose name is not synced.
    ForgetsDirectory,
    /// 3: takes for durable what a failed sync left in memory.
    TrustsPages,
    /// 4: loses the answers that a checkpoint kept.
    ForgetsAnswers,
    /// 4: forgets a young answer for a new one.
    ForgetsYoungAnswers,
    /// 4: writes a document, or changes a rule, once more for one key.
    RecordsTwice,
    /// 5: confirms until the wheel turns.
    ConfirmsLate,
    /// 5: releases until the wheel turns.
    ReleasesLate,
    /// 5: says of what expired that it was released.
    TellsAnotherEnd,
    /// 1: sells to anybody what others wait for.
    SellsPastQueue,
    /// 1: of commands that happen together, keeps those before the one that cannot.
    KeepsHalf,
    /// 1: a return gives back the newest use, whosever that is.
    ReturnsNewest,
    /// 1: returns more than is left.
    ReturnsTooMuch,
    /// 1: revives an order once more.
    RevivesTwice,
    /// 1: revives an order without its points and its limit.
    RevivesBeyondLimits,
    /// 1: revives an order with the points that it held, where others were chosen.
    RevivesWithFormerPoints,
    /// 1: revives an order with anybody's points.
    RevivesWithForeignPoints,
    /// 1: a rule that changes forgets what was bought.
    ForgetsUses,
    /// 5: takes units of an account after their end.
    TakesEnded,
    /// 1: of a lot of points that has ended, forgets what it has written off.
    ExpiresTwice,
    /// A report counts a refund on the day of its order.
    RefundsEarly,
    /// 6: refuses the last unit.
    RefusesFalsely,
    /// 7: takes damage for the end of the journal.
    SkipsDamage,
    /// 4: takes the points of an order anew at a points service.
    TakesPointsAnew,
    /// 4: keeps the points of an order at a points service that has come to nothing.
    KeepsPoints,
    /// 8: leaves out the first event of what a follower reads.
    LosesEvent,
    /// 8: panics when it carries an event into history.
    DiesInHistory,
    /// 8: panics when it moves history to sled.
    DiesWritingHistory,
    /// 8: panics when it decides on what was asked about a reservation that ended.
    DiesDeciding,
}

#[cfg(test)]
std::thread_local! {
    static MADE: std::cell::Cell<Option<Flaw>> = const { std::cell::Cell::new(None) };
}

/// Whether this thread makes the mistake.
#[cfg(test)]
pub(crate) fn is_made(flaw: Flaw) -> bool {
    MADE.get() == Some(flaw)
}

/// What this process was told to do wrong, on every thread.
#[cfg(all(feature = "test-util", not(test)))]
static MADE: std::sync::OnceLock<Flaw> = std::sync::OnceLock::new();

/// Lets this process make the mistake of this name until it ends; false when there is none of that
/// name, or it makes another.
#[cfg(all(feature = "test-util", not(test)))]
pub(crate) fn make(name: &str) -> bool {
    Flaw::named(name).is_some_and(|flaw| *MADE.get_or_init(|| flaw) == flaw)
}

/// Whether this process makes the mistake.
#[cfg(all(feature = "test-util", not(test)))]
pub(crate) fn is_made(flaw: Flaw) -> bool {
    MADE.get() == Some(&flaw)
}

/// Whether the mistake is made: never outside of tests.
#[cfg(not(any(test, feature = "test-util")))]
pub(crate) const fn is_made(_: Flaw) -> bool {
    false
}

/// Runs something while this thread makes the mistake.
#[cfg(all(test, not(stockhold_loom)))]
pub(crate) fn with<T>(flaw: Flaw, run: impl FnOnce() -> T) -> T {
    struct Unmake;
    impl Drop for Unmake {
        fn drop(&mut self) {
            MADE.set(None);
        }
    }
    MADE.set(Some(flaw));
    let _unmake = Unmake;
    run()
}
