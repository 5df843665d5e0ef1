//! The interface between the laws of durable queues and a store under test.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::{Admin, JobId, Jobs, NewJob, QueueError, Receipt, Services};

use super::operation::{Delays, Operation};

/// A place where a queue keeps its jobs, with the ways to open it and its possible outages.
///
/// A store that was created but never opened is empty: it has no file and no schema.
/// It must keep finished jobs for as long as a law runs.
/// A store need not override a method with a default. It then lacks what that method returns, and the laws about that pass.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Returns what another process needs to open the store: a path or a URL.
    fn address(&self) -> String;

    /// Opens the store as a program that starts. Two handles must share nothing but the store.
    async fn open(&self) -> Result<Arc<dyn Admin>, QueueError>;

    /// Opens the store without notifications, so that the handle polls at this interval for others' work (D13).
    async fn open_without_notifications(&self, poll_interval: Duration) -> Option<Arc<dyn Admin>> {
        let _: Duration = poll_interval;
        None
    }

    /// Creates another fresh store, on a server that may be killed (D2, D4).
    async fn on_private_server(&self) -> Option<OnServer> {
        None
    }

    /// Returns outages of the store that a running program must survive (D4).
    fn outages(&self) -> Vec<Box<dyn Outage>> {
        Vec::new()
    }

    /// Returns a lock that others can hold on the store, and a handle that waits for it no longer than its bound (D14).
    async fn locked(&self) -> Option<LockCase> {
        None
    }

    /// Returns places that can't be opened, each with the words that its error must contain (D8).
    async fn unopenable(&self) -> Vec<OpenCase<String>> {
        Vec::new()
    }

    /// Returns a store of each earlier version, with the ready jobs that it holds (D10).
    async fn old_versions(&self) -> Vec<OpenCase<JobId>> {
        Vec::new()
    }

    /// Begins a transaction of the application on the store (D11).
    async fn begin(&self) -> Option<Box<dyn Transaction>> {
        None
    }

    /// Begins a transaction of the application that has read the jobs and keeps reading them (D26).
    async fn begin_reading(&self) -> Option<Box<dyn Transaction>> {
        None
    }

    /// Returns events that replace the contents of the store while a program has it open (D28). Each begins once.
    ///
    /// Called when one job is stored, in the queue `images`. An outdated copy of the store is taken then.
    async fn replacements(&self) -> Vec<Box<dyn Outage>> {
        Vec::new()
    }

    /// Creates fresh stores that can't hold every character, such as a database in LATIN1 (D31).
    async fn with_fewer_characters(&self) -> Vec<Arc<dyn Store>> {
        Vec::new()
    }

    /// Returns an application that keeps accounts in the store and settles its job in a unit of work (D12).
    async fn payment_app(&self) -> Option<PaymentApp> {
        None
    }
}

/// The closure that a backend passes to the suite, type-erased.
pub(super) type Make = dyn Fn(Option<String>) -> BoxFuture<'static, Arc<dyn Store>> + Send + Sync;

/// A store on a private server.
pub struct OnServer {
    /// The store, never opened before.
    pub store: Arc<dyn Store>,
    /// Kills the server, as `kill -9` does, and starts it again.
    pub server: Box<dyn Outage>,
}

/// An outage of the store, which begins and ends.
#[async_trait]
pub trait Outage: Send + Sync {
    /// Returns a name for it, as in "the connection is cut".
    fn name(&self) -> &str;

    /// Begins the outage.
    async fn begin(&self);

    /// Ends the outage, and returns once it is over.
    async fn end(&self);
}

/// A lock on a store, with a handle that has to wait for it.
pub struct LockCase {
    /// A handle on the store that waits for others' locks for at most `bound`.
    pub queue: Arc<dyn Admin>,
    /// The handle's bound.
    pub bound: Duration,
    /// Takes the lock, and releases it.
    pub lock: Box<dyn Outage>,
}

/// A future that opens a queue.
pub type Open = BoxFuture<'static, Result<Arc<dyn Admin>, QueueError>>;

/// A place to open, and the expected result.
pub struct OpenCase<T> {
    /// A name for it, as in "a folder".
    pub what: String,
    /// The words of the error, or the jobs of the store.
    pub expected: Vec<T>,
    /// Opens it.
    pub open: Open,
}

/// A transaction of the application. Dropping it rolls it back.
#[async_trait]
pub trait Transaction: Send {
    /// Pushes a job in the transaction.
    async fn push(&mut self, job: NewJob) -> Result<Receipt, QueueError>;

    /// Runs another operation in the transaction (D26). Returns `false` if an application of this store can't.
    async fn operate(&mut self, operation: &Operation) -> Result<bool, QueueError> {
        let _: &Operation = operation;
        Ok(false)
    }

    /// Returns which callers the transaction delays once it has written (D26). A transaction that only reads delays none.
    fn delays(&self) -> Delays {
        Delays::SameKeyOrJob
    }

    /// Commits it.
    async fn commit(self: Box<Self>);

    /// Rolls it back.
    async fn rollback(self: Box<Self>);
}

/// An application whose job pays: in the unit of work that settles it, it adds two to an account in two steps.
///
/// The job also enqueues a followup in the queue `receipts`. It yields before, between and after its steps, where the law
/// crashes it. It has a hundred attempts, and a backoff of a millisecond.
pub struct PaymentApp {
    /// The queue.
    pub queue: Arc<dyn Admin>,
    /// The services, with the unit of work among them.
    pub services: Services,
    /// The job type that pays.
    pub jobs: Jobs,
    /// Creates the job. After it has paid, it ends as `"success"`, `"failure"` or `"panic"`.
    pub pay: Box<dyn Fn(&str) -> NewJob + Send + Sync>,
    /// Returns the balance of the account.
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
