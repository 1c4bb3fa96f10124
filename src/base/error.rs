//! The one error type callers meet.

use std::borrow::Cow;
use std::fmt;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is malformed; correct it. Nothing was changed.
    Invalid,
    /// The request contradicts an earlier one: an idempotency key with another request, an account
    /// with another policy. Nothing was changed.
    Conflict,
    /// What the request names does not exist. Nothing was changed.
    NotFound,
    /// A bound was reached; the same request may succeed later. Nothing was changed.
    Overloaded,
    /// The caller has its own share of something: too many idempotency keys within their window.
    /// Others are served, and so is this caller later; [`Error::retry_after_ms`] says when. Nothing
    /// was changed.
    Throttled,
    /// The disk has not answered for longer than it may; the same request may succeed once it does.
    /// Nothing was changed.
    Stalled,
    /// The disk, or history, has too little room for anything new to be sold; what was sold already
    /// can still be confirmed, given back and expire. Nothing was changed.
    LowSpace,
    /// The engine cannot serve this now: a file cannot be read or written, or a part of the engine
    /// is off or has ended.
    Unavailable,
    /// A write or a sync of the journal failed, and nobody knows what of it is on the disk: the
    /// engine takes nothing any more. What became of the requests under way is known once it is
    /// opened again.
    Poisoned,
    /// The data directory is open already, in this process or in another.
    AlreadyOpen,
    /// A file holds what was never written; the message names file and offset.
    Corrupt,
    /// The engine was closed.
    Closed,
}

/// ENFILE and EMFILE, which have no kind of their own.
const TOO_MANY_FILES: [i32; 2] = [23, 24];

/// An error: a kind to act on, a message to read, and the cause where there is one.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    retry_after_ms: Option<u64>,
    command: Option<usize>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None, retry_after_ms: None, command: None }
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub(crate) fn overloaded(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Overloaded, message)
    }

    pub(crate) fn throttled(message: impl Into<Cow<'static, str>>, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(ErrorKind::Throttled, message) }
    }

    pub(crate) fn stalled(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Stalled, message)
    }

    pub(crate) fn low_space(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::LowSpace, message)
    }

    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    pub(crate) fn poisoned(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Poisoned, message)
    }

    pub(crate) fn already_open(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::AlreadyOpen, message)
    }

    pub(crate) fn corrupt(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the engine is closed")
    }

    /// An I/O failure while doing `what`.
    pub(crate) fn io(what: impl fmt::Display, source: std::io::Error) -> Self {
        Self::unavailable(format!("{what}: {source}")).with_source(source)
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The error of one of several commands, by its place in their order.
    pub(crate) fn of_command(self, index: usize) -> Self {
        let message = format!("command {index}: {}", self.message);
        Self { message: message.into(), command: Some(index), ..self }
    }

    /// Whether a file could not be opened because too many are: nothing was done to it, and it
    /// passes.
    pub(crate) fn lacks_descriptors(&self) -> bool {
        self.cause()
            .and_then(std::io::Error::raw_os_error)
            .is_some_and(|code| TOO_MANY_FILES.contains(&code))
    }

    /// Whether a disk, or a quota, had no room.
    pub(crate) fn is_no_room(&self) -> bool {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        self.cause()
            .is_some_and(|cause| matches!(cause.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }

    fn cause(&self) -> Option<&std::io::Error> {
        self.source.as_ref().and_then(|cause| cause.downcast_ref())
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// After how many milliseconds the same request may succeed, where that is known.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }

    /// Of commands that were to happen together: which one this is about, where it is about one.
    /// The first is 0.
    pub fn command(&self) -> Option<usize> {
        self.command
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
