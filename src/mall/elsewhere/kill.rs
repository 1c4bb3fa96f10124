//! Where a test can let this process die: between any two things that leave something durable.

/// Somewhere on the way of a saga.
#[cfg(not(test))]
pub(super) async fn point() {}

#[cfg(test)]
std::thread_local! {
    /// How many points are passed before the one where it dies.
    static LEFT: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
    static IS_DEAD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

#[cfg(test)]
pub(super) async fn point() {
    match LEFT.get() {
        Some(0) => {
            IS_DEAD.set(true);
            std::future::pending().await
        }
        left => LEFT.set(left.map(|left| left - 1)),
    }
}

/// Runs something that dies after `points` points; `None` when it died.
#[cfg(test)]
pub(super) async fn at<T>(points: Option<usize>, run: impl Future<Output = T>) -> Option<T> {
    LEFT.set(points);
    IS_DEAD.set(false);
    let dead = std::future::poll_fn(|_| match IS_DEAD.get() {
        true => std::task::Poll::Ready(()),
        false => std::task::Poll::Pending,
    });
    let done = tokio::select! {
        biased;
        done = run => Some(done),
        () = dead => None,
    };
    LEFT.set(None);
    done
}
