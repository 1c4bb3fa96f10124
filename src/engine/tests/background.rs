//! Would catch an opening or a closing that blocks whoever polls it, one that is never told of, and
//! an engine that stays open although nobody wanted it any more.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Barrier;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::*;
use crate::engine::opening::background::{Background, Stage};
use crate::vfs::held::{Gate, HeldVfs};
use crate::vfs::memory::MemoryDisk;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn an_engine_opens_and_closes_without_blocking_and_can_be_opened_again() {
    let disk = MemoryDisk::default();
    for _ in 0..2 {
        let engine = block_on(Engine::in_memory_on(&disk).open_async()).expect("there is memory");
        let handle = engine.clone();
        block_on(engine.close_async()).expect("it closes");
        assert_eq!(handle.check_ready().expect_err("it is closed").kind(), ErrorKind::Closed);
        block_on(engine.close_async()).expect("a second close goes as the first");
    }
}

#[test]
fn an_opening_is_pending_while_the_disk_hangs_and_fails_as_open_does() {
    let dir = TempDir::new().expect("a temporary directory");
    let gate = Arc::new(Gate::default());
    gate.hold();
    let builder = Engine::builder(dir.path()).vfs(HeldVfs(Arc::clone(&gate))).history(false);
    let mut opening = builder.segment_bytes(128 << 10).open_async();
    let noop = &mut Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut opening).poll(noop).is_pending(), "the disk does not answer");
    gate.release();
    let engine = block_on(opening).expect("it opens");
    let second = Engine::builder(dir.path()).history(false).open_async();
    let refused = block_on(second).map(drop).expect_err("somebody has it");
    assert_eq!(refused.kind(), ErrorKind::AlreadyOpen);
    block_on(engine.close_async()).expect("it closes");
}

#[test]
fn what_was_opened_for_nobody_is_closed_again() {
    let disk = MemoryDisk::default();
    // Dropped before it is open, and after.
    drop(Engine::in_memory_on(&disk).open_async());
    for _ in 0..2 {
        // Until the engine that nobody has is gone, somebody has the disk.
        let engine = loop {
            match block_on(Engine::in_memory_on(&disk).open_async()) {
                Ok(engine) => break engine,
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyOpen),
            }
            thread::yield_now();
        };
        drop(engine);
        let opening = Engine::in_memory_on(&disk).open_async();
        let done = || matches!(*opening.0.0.lock(), Stage::Done(_));
        while !done() {
            thread::yield_now();
        }
        drop(opening);
    }
}

#[test]
fn a_panic_is_told() {
    let barrier = Arc::new(Barrier::new(2));
    let theirs = Arc::clone(&barrier);
    let work = Background::<()>::start("stockhold-test", move || {
        theirs.wait();
        panic!("on purpose");
    });
    assert!(work.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    barrier.wait();
    let outcome = block_on(std::future::poll_fn(|cx| work.poll(cx)));
    assert_eq!(outcome.expect_err("it panicked").kind(), ErrorKind::Unavailable);
}

#[test]
fn a_subscription_is_a_stream() {
    use futures_core::Stream;
    let engine = Engine::in_memory().open().expect("there is memory");
    let tea = stock(&engine, 3);
    let mut events = engine.subscribe(1).expect("it begins with the first");
    let mut next = || {
        let next = std::future::poll_fn(|cx| Stream::poll_next(Pin::new(&mut events), cx));
        block_on(next).map(|event| event.expect("it reads").0)
    };
    assert_eq!((next(), next()), (Some(1), Some(2)), "the opening, and what was received");
    let ticket = engine.receive(Receive::new(tea, 1)).expect("there is room");
    assert_eq!(next(), Some(3), "whoever polls sees to it that it is written");
    drop(ticket);
    engine.close().expect("it closes");
    assert_eq!(next(), None, "a closed engine ends it");
}
