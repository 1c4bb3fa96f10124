//! Which request the work at hand is for, so that lines of the log can say so.
//!
//! A request's work is found by its thread while it is polled, and goes along to the threads that it
//! gives work to with [`carried`]. Nothing but the log and traces look at it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use tracing::Span;

/// A request, as far as a line of the log tells of it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What the client and the log call it.
    pub(crate) id: Box<str>,
    /// The trace that it is part of, where a good `traceparent` said so.
    #[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "the log of the program tells it"))]
    pub(crate) trace: Option<Box<str>>,
    /// The method and the path of its route, once that is found.
    pub(crate) operation: OnceLock<(&'static str, &'static str)>,
    /// Who asks, once that is known.
    pub(crate) user: OnceLock<Box<str>>,
    /// What its steps are steps of; disabled where nobody looks at traces.
    pub(crate) span: Span,
}

impl Asked {
    pub(crate) fn new(id: Box<str>, trace: Option<Box<str>>) -> Self {
        let (operation, user) = (OnceLock::new(), OnceLock::new());
        Self { id, trace, operation, user, span: Span::none() }
    }

    /// With its span.
    pub(crate) fn seen_as(self, span: Span) -> Self {
        Self { span, ..self }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Asked>>> = const { RefCell::new(None) };
}

/// The request that this thread works for.
pub(crate) fn current() -> Option<Arc<Asked>> {
    // A thread that ends may log, too.
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Does `work` for `asked`.
pub(crate) async fn within<F: Future>(asked: Arc<Asked>, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let _entered = Entered::new(Some(asked.clone()));
        work.as_mut().poll(cx)
    })
    .await
}

/// `work` for whatever request this thread works for now, wherever it is done.
pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let asked = current();
    move || {
        let _entered = Entered::new(asked);
        work()
    }
}

/// Until it is dropped, this thread works for another request.
struct Entered(Option<Arc<Asked>>);

impl Entered {
    fn new(asked: Option<Arc<Asked>>) -> Self {
        Self(CURRENT.try_with(|current| current.replace(asked)).ok().flatten())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.take();
        // Fails only where the thread ends, and with it what is to be put back.
        let _ = CURRENT.try_with(|current| current.replace(before));
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn asked(id: &str) -> Arc<Asked> {
        Arc::new(Asked::new(id.into(), None))
    }

    fn id() -> Option<String> {
        current().map(|asked| asked.id.to_string())
    }

    /// Would catch a thread that goes on telling of a request while it works for another one.
    #[test]
    fn a_thread_works_for_a_request_while_it_polls_it_and_for_none_between() {
        let mut polls = 0;
        let work = |of: &'static str| {
            within(
                asked(of),
                poll_fn(move |_| {
                    polls += 1;
                    assert_eq!(id().as_deref(), Some(of));
                    if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
                }),
            )
        };
        let (mut one, mut two) = (Box::pin(work("one")), Box::pin(work("two")));
        let mut cx = Context::from_waker(Waker::noop());
        for done in [false, true] {
            for work in [&mut one, &mut two] {
                assert_eq!(work.as_mut().poll(&mut cx).is_ready(), done);
                assert_eq!(id(), None);
            }
        }
    }

    #[test]
    fn work_on_another_thread_is_for_the_same_request() {
        let mut made = pin!(within(asked("one"), async { carried(id) }));
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(work) = made.as_mut().poll(&mut cx) else { panic!("it waits for nothing") };
        let told = std::thread::spawn(move || (work(), id())).join().expect("it ends");
        assert_eq!(told, (Some("one".to_owned()), None));
    }
}
