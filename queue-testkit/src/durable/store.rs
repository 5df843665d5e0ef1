//! What the laws of durable queues need of a store under test.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::{Admin, JobId, Jobs, NewJob, QueueError, Receipt, Services};

use super::operation::{Delays, Operation};

/// Where a queue keeps its jobs, how it's opened, and what can befall it.
///
/// A store that is made but was never opened holds nothing yet: no file, no schema.
/// Finished jobs must be kept for as long as a law runs.
/// What the default leaves out, a store doesn't have, and the laws about it hold for nothing.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What another process needs to find it: a path, a URL.
    fn address(&self) -> String;

    /// Opens it as a program does that starts. No two handles share anything but the store.
    async fn open(&self) -> Result<Arc<dyn Admin>, QueueError>;

    /// Opens it where nothing tells of others' work, so that it has to be looked for at this interval (D13).
    async fn open_without_notifications(&self, poll_interval: Duration) -> Option<Arc<dyn Admin>> {
        let _: Duration = poll_interval;
        None
    }

    /// Makes another fresh store, on a server that may be killed (D2, D4).
    async fn on_private_server(&self) -> Option<OnServer> {
        None
    }

    /// What can go wrong with the store while a program works, and end (D4).
    fn outages(&self) -> Vec<Box<dyn Outage>> {
        Vec::new()
    }

    /// A lock that others can hold on the store, and a handle that waits for it no longer than its bound (D14).
    async fn locked(&self) -> Option<LockCase> {
        None
    }

    /// Places which can't be opened, each with what the error is to say of it (D8).
    async fn unopenable(&self) -> Vec<OpenCase<String>> {
        Vec::new()
    }

    /// Stores of each earlier version, with the jobs, ready to be claimed, that each holds (D10).
    async fn old_versions(&self) -> Vec<OpenCase<JobId>> {
        Vec::new()
    }

    /// Begins a transaction of the application's own on the store (D11).
    async fn begin(&self) -> Option<Box<dyn Transaction>> {
        None
    }

    /// Begins a transaction of the application's own that has read the jobs and goes on reading (D26).
    async fn begin_reading(&self) -> Option<Box<dyn Transaction>> {
        None
    }

    /// What can put other contents in the place of the store while a program has it open (D28). Each begins once.
    ///
    /// It's called when one job is stored, in the queue `images`: a copy that lags behind is made then.
    async fn replacements(&self) -> Vec<Box<dyn Outage>> {
        Vec::new()
    }

    /// Makes fresh stores that hold fewer characters than there are, such as a database in LATIN1 (D31).
    async fn with_fewer_characters(&self) -> Vec<Arc<dyn Store>> {
        Vec::new()
    }

    /// An application that keeps money in the store, with a unit of work that settles (D12).
    async fn payment_app(&self) -> Option<PaymentApp> {
        None
    }
}

/// A store on a server of its own.
pub struct OnServer {
    /// The store, which was never opened.
    pub store: Arc<dyn Store>,
    /// What kills the server, as `kill -9` does, and starts it again.
    pub server: Box<dyn Outage>,
}

/// Something that goes wrong, and ends.
#[async_trait]
pub trait Outage: Send + Sync {
    /// What it is, as in "the connection is cut".
    fn name(&self) -> &str;

    /// Has it begin.
    async fn begin(&self);

    /// Has it end; it's over when this comes back.
    async fn end(&self);
}

/// A lock on a store.
pub struct LockCase {
    /// A handle on the store that waits for others' locks for `bound` at most.
    pub queue: Arc<dyn Admin>,
    /// The handle's bound.
    pub bound: Duration,
    /// Takes the lock, and lets go of it.
    pub lock: Box<dyn Outage>,
}

/// Opens a queue.
pub type Open = BoxFuture<'static, Result<Arc<dyn Admin>, QueueError>>;

/// A place that is opened, and what is expected of that.
pub struct OpenCase<T> {
    /// What it is, as in "a folder".
    pub what: String,
    /// What opening it must say, or hold.
    pub expected: Vec<T>,
    /// Opens it.
    pub open: Open,
}

/// A transaction of the application's own. Dropped, it's rolled back.
#[async_trait]
pub trait Transaction: Send {
    /// Pushes a job within it.
    async fn push(&mut self, job: NewJob) -> Result<Receipt, QueueError>;

    /// Runs another operation within it (D26). Returns `false` if an application of the store can't.
    async fn operate(&mut self, operation: &Operation) -> Result<bool, QueueError> {
        let _: &Operation = operation;
        Ok(false)
    }

    /// Returns whom it delays once it has written (D26). One that only reads delays nobody.
    fn delays(&self) -> Delays {
        Delays::SameKeyOrJob
    }

    /// Commits it.
    async fn commit(self: Box<Self>);

    /// Rolls it back.
    async fn rollback(self: Box<Self>);
}

/// An application whose job pays: it adds two to an account, in two steps, in the unit of work that settles it.
///
/// The job also enqueues one that follows it in the queue `receipts`, and yields before, between and after its steps, where
/// it's crashed.
/// It may be attempted a hundred times, with a backoff of a millisecond.
pub struct PaymentApp {
    /// The queue.
    pub queue: Arc<dyn Admin>,
    /// Services, the unit of work among them.
    pub services: Services,
    /// The job that pays.
    pub jobs: Jobs,
    /// Makes the job; it ends in `"success"`, `"failure"` or `"panic"`, after it has paid.
    pub pay: Box<dyn Fn(&str) -> NewJob + Send + Sync>,
    /// Reads the account.
    pub balance: Box<dyn Fn() -> BoxFuture<'static, i64> + Send + Sync>,
}

impl fmt::Debug for OnServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnServer").field("server", &self.server.name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for LockCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockCase").field("bound", &self.bound).finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for OpenCase<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, expected) = (&self.what, &self.expected);
        f.debug_struct("OpenCase").field("what", what).field("expected", expected).finish_non_exhaustive()
    }
}

impl fmt::Debug for PaymentApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentApp").finish_non_exhaustive()
    }
}
