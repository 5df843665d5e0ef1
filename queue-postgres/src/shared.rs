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
    queues: RwLock<HashSet<QueueName>>,
    /// Wakes the claim task of this queue. It is weak, so that the tasks end with the queue's last handle.
    claims: WeakUnboundedSender<ClaimMessage>,
    /// Whether a claim waits. Only the claim task writes it.
    has_waiting_claims: AtomicBool,
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
    /// exist.
    pub(crate) fn unknown_queues<'a>(&self, jobs: impl Iterator<Item = &'a Encoded>) -> Vec<String> {
        let on_discard =
            |job: &'a Encoded| job.job.on_discard.as_ref().and_then(|setting| setting.queue_name());
        self.unknown(jobs.flat_map(|job| iter::once(&job.job.queue).chain(on_discard(job))))
    }

    /// Returns those of these queues that this process doesn't know to exist.
    pub(crate) fn unknown<'a>(&self, queues: impl Iterator<Item = &'a QueueName>) -> Vec<String> {
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let mut unknown: Vec<String> = Vec::new();
        for queue in queues {
            if !known.contains(queue) && !unknown.iter().any(|name| name == queue.as_str()) {
                unknown.push(queue.as_str().to_owned());
            }
        }
        unknown
    }

    /// Creates the queues that don't exist, in a separate transaction: other processes that create them don't wait for
    /// the transaction that stores the jobs.
    pub(crate) async fn ensure_queues(
        &self,
        connection: &mut ReconnectingConnection,
        queues: Vec<String>,
    ) -> Result<(), CallError> {
        if queues.is_empty() {
            return Ok(());
        }
        let names = &queues;
        connection
            .call(&move |connection| {
                let query = self.sql.ensure_queues.query().bind(names.clone());
                Box::pin(async move { query.execute(connection).await.map(drop) })
            })
            .await?;
        self.queues
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(queues.into_iter().map(QueueName::from));
        Ok(())
    }

    /// Forgets which queues exist. The server has lost one of them: its tables were emptied, restored or created again.
    pub(crate) fn forget_queues(&self) {
        self.queues.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Reads a job as `expire` returns it: its id, its number of attempts, the number of the claim, its name and its queue.
fn expired_job(text: &str) -> Option<ExpiredJob> {
    let mut words = text.split(' ');
    let id = words.next()?.parse().ok()?;
    let (attempt, fence) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(ExpiredJob::new(id, words.next()?.into(), words.next()?.into(), attempt, Fence(fence)))
}
