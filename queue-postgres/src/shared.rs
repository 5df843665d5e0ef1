//! The state that the tasks share: the target, the statements, the queues known to exist, and the notifier.
//!
//! # Shared state
//!
//! | state | used by |
//! | --- | --- |
//! | the queues known to exist | the push and settle tasks, direct pushes, pushes in an application's transaction, units of work |
//! | the unique keys found locked ([`LockedKeys`]) | the push and settle tasks, direct pushes |
//! | the count of [`DeadRows`] | the settle tasks and units of work, the vacuum task |
//! | the calls of `ended` that wait ([`EndWatches`]) | the settle tasks, units of work, operators' calls |
//! | the [`Notifier`] | the push and settle tasks, direct pushes, units of work, operators' calls, the listener's probe |
//! | the connection for operators | operators' calls, new queues of a push in an application's transaction |
//! | the [`SpareSessions`] | each connection of the queue's thread |
//!
//! The connection is behind an asynchronous mutex, which is held for one call. No other lock is held across an `await`.
//!
//! Any task wakes the claim task of this queue by [`wake`](Shared::wake), and those of other processes by a notification.
//!
//! # Races
//!
//! A claim may arrive while a push commits. The claim task records that a claim waits before it scans, and
//! [`wake`](Shared::wake) reads the record after the commit. If `wake` finds no record, the scan begins after the commit
//! and finds the job.

use std::collections::HashSet;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use queue_core::backend::{AnnouncementReader, Encoded, ExpiredJob, ExpiryFeed};
use queue_core::{Fence, QueueName};
use tokio::sync::Mutex;
use tokio::sync::mpsc::WeakUnboundedSender;

use crate::connection::{CallError, ReconnectingConnection, SpareSessions};
use crate::dead_rows::DeadRows;
use crate::end_watches::EndWatches;
use crate::locked_keys::LockedKeys;
use crate::notifier::Notifier;
use crate::requests::ClaimMessage;
use crate::runtime_thread::RuntimeThread;
use crate::sql::Sql;
use crate::target::Target;

/// The state that the tasks and the handle of a queue share.
pub(crate) struct Shared {
    pub(crate) target: Arc<Target>,
    pub(crate) sql: Sql,
    pub(crate) notifier: Arc<Notifier>,
    /// The connection for rare calls: operators' calls, and new queues of a push in an application's transaction.
    pub(crate) admin_connection: Mutex<ReconnectingConnection>,
    pub(crate) spare_sessions: Arc<SpareSessions>,
    /// The unique keys that other transactions hold locked.
    pub(crate) locked_keys: LockedKeys,
    /// The rows that ended jobs have left dead, for the vacuum task.
    pub(crate) dead_rows: DeadRows,
    /// The calls that wait for the end of jobs.
    pub(crate) end_watches: Arc<EndWatches>,
    pub(crate) announcements: Arc<AnnouncementReader>,
    /// The listeners for jobs whose last lease has expired.
    pub(crate) expiries: ExpiryFeed,
    /// The queues that this process knows to exist. The server may lose them, and its answer is decisive.
    queues: RwLock<KnownQueues>,
    /// Whether a settlement has ended a lease of a shared queue, so that others probably do.
    has_shared_queues: AtomicBool,
    /// Wakes the claim task of this queue. It is weak, so that the tasks end with the queue's last handle.
    claims: WeakUnboundedSender<ClaimMessage>,
    /// Whether a claim waits. Only the claim task writes it.
    has_waiting_claims: AtomicBool,
}

/// The queues that are known to exist, and those of them that are known to be shared.
#[derive(Default)]
struct KnownQueues {
    all: HashSet<QueueName>,
    shared: HashSet<QueueName>,
}

/// Queues that have to be prepared before jobs are stored in them.
#[derive(Debug, Default)]
pub(crate) struct UnknownQueues {
    /// Those that may not exist.
    all: Vec<String>,
    /// Those that may not be shared.
    shared: Vec<String>,
}

impl UnknownQueues {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.shared.is_empty()
    }
}

impl Shared {
    /// Creates the state, in which no queue is known to exist.
    pub(crate) fn new(
        target: Target,
        spare_sessions: SpareSessions,
        claims: WeakUnboundedSender<ClaimMessage>,
        thread: RuntimeThread,
    ) -> Self {
        let (target, spare_sessions) = (Arc::new(target), Arc::new(spare_sessions));
        let sql = Sql::new(&target);
        let announcements = Arc::new(AnnouncementReader::new(target.to_string()));
        let connection = || ReconnectingConnection::new(target.clone(), spare_sessions.clone());
        Self {
            notifier: Arc::new(Notifier::new(target.clone(), sql.notify.clone(), thread, connection())),
            sql,
            admin_connection: Mutex::new(connection().with_lock_timeout()),
            spare_sessions,
            target,
            locked_keys: LockedKeys::default(),
            dead_rows: DeadRows::default(),
            end_watches: Arc::default(),
            announcements,
            expiries: ExpiryFeed::new(),
            queues: RwLock::default(),
            has_shared_queues: AtomicBool::new(false),
            claims,
            has_waiting_claims: AtomicBool::new(false),
        }
    }

    /// Creates a connection of the queue's thread.
    pub(crate) fn connection(&self) -> ReconnectingConnection {
        ReconnectingConnection::new(self.target.clone(), self.spare_sessions.clone())
    }

    /// Wakes the claim task of this queue, if a claim waits: a later claim begins with a scan.
    pub(crate) fn wake(&self) {
        if !self.has_waiting_claims.load(Ordering::SeqCst) {
            return;
        }
        if let Some(claims) = self.claims.upgrade() {
            // A claim task that has ended has no waiting claims.
            drop(claims.send(ClaimMessage::Wake));
        }
    }

    /// Reports jobs that were discarded because their leases expired, as `expire` returns them.
    pub(crate) fn report_expired(&self, discarded: Option<&[String]>) {
        for job in discarded.into_iter().flatten().filter_map(|job| expired_job(job)) {
            self.expiries.report(&job);
        }
    }

    /// Records whether a claim waits.
    pub(crate) fn set_waiting_claims(&self, has_any: bool) {
        self.has_waiting_claims.store(has_any, Ordering::SeqCst);
    }

    /// Returns the queues of these jobs, and of the jobs that are stored on their discards, that this process doesn't know to
    /// exist, or to be shared if the job names a partition.
    pub(crate) fn unknown_queues<'a>(
        &self,
        jobs: impl Iterator<Item = &'a Encoded> + Clone,
    ) -> UnknownQueues {
        let on_discard =
            |job: &'a Encoded| job.job.on_discard.as_ref().and_then(|setting| setting.queue_name());
        let queues = jobs.clone().flat_map(|job| iter::once(&job.job.queue).chain(on_discard(job)));
        let shared = jobs.filter(|job| !job.job.partition.is_none()).map(|job| &job.job.queue);
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        UnknownQueues { all: missing(queues, &known.all), shared: missing(shared, &known.shared) }
    }

    /// Returns those of these queues that this process doesn't know to exist.
    pub(crate) fn unknown<'a>(&self, queues: impl Iterator<Item = &'a QueueName>) -> UnknownQueues {
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        UnknownQueues { all: missing(queues, &known.all), shared: Vec::new() }
    }

    /// Creates the queues that don't exist, and makes those shared that have to be, each in a separate transaction: other
    /// processes that do the same don't wait for the transaction that stores the jobs.
    pub(crate) async fn ensure_queues(
        &self,
        connection: &mut ReconnectingConnection,
        queues: UnknownQueues,
    ) -> Result<(), CallError> {
        for (statement, names) in
            [(&self.sql.ensure_queues, &queues.all), (&self.sql.share_queues, &queues.shared)]
        {
            if names.is_empty() {
                continue;
            }
            connection
                .call(&move |connection| {
                    let query = statement.query().bind(names.clone());
                    Box::pin(async move { query.execute(connection).await.map(drop) })
                })
                .await?;
        }
        let mut known = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        known.all.extend(queues.all.into_iter().map(QueueName::from));
        known.shared.extend(queues.shared.into_iter().map(QueueName::from));
        Ok(())
    }

    /// Records that a lease of a shared queue has ended.
    pub(crate) fn note_shared_queue(&self) {
        self.has_shared_queues.store(true, Ordering::Relaxed);
    }

    /// Returns whether a lease of a shared queue has ended before.
    pub(crate) fn has_shared_queues(&self) -> bool {
        self.has_shared_queues.load(Ordering::Relaxed)
    }

    /// Forgets which queues exist. The server has lost one of them: its tables were emptied, restored or created again.
    pub(crate) fn forget_queues(&self) {
        *self.queues.write().unwrap_or_else(PoisonError::into_inner) = KnownQueues::default();
    }
}

/// Returns the names of the queues that are not among the known ones, each once.
fn missing<'a>(queues: impl Iterator<Item = &'a QueueName>, known: &HashSet<QueueName>) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    for queue in queues {
        if !known.contains(queue) && !missing.iter().any(|name| name == queue.as_str()) {
            missing.push(queue.as_str().to_owned());
        }
    }
    missing
}

/// Reads a job as `expire` returns it: its id, its number of attempts, the number of the claim, its name and its queue.
fn expired_job(text: &str) -> Option<ExpiredJob> {
    let mut words = text.split(' ');
    let id = words.next()?.parse().ok()?;
    let (attempt, fence) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(ExpiredJob::new(id, words.next()?.into(), words.next()?.into(), attempt, Fence(fence)))
}
