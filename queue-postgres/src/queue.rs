//! The public handle of the queue.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use queue_core::backend::{encode, encode_followups};
use queue_core::{
    Delivery, Demand, Heartbeat, Lease, Limits, NewJob, Queue, QueueError, Receipt, Renewal, Settled,
    Settlement, Timestamp, Transition,
};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, oneshot};
use uuid::Uuid;

use crate::columns::{check_storable, micros};
use crate::listener_health::ListenerHealth;
use crate::migrations;
use crate::pool::UnitOfWorkPool;
use crate::requests::{ClaimMessage, PushRequest, SettleRequest, WaitingClaim, split};
use crate::rows::{timestamp, to_i64};
use crate::runtime_thread::{RuntimeThread, thread_gone};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::tasks::claim::{ClaimTask, PollInterval};
use crate::tasks::listen::ListenTask;
use crate::tasks::prune;
use crate::tasks::push::{BlockedPushTask, PushTask};
use crate::tasks::renew::RenewConnections;
use crate::tasks::settle::{BlockedSettleTask, SettleTask};

/// A queue in a PostgreSQL database.
///
/// Cheap to clone; all clones are the same queue. An acknowledged push is committed.
/// It takes jobs without a bound, starts its own thread for I/O, and works from within any async runtime. Claims that
/// wait on one handle and its clones are served in the order of their calls.
#[derive(Clone)]
pub struct PostgresQueue(Arc<OpenQueue>);

struct OpenQueue {
    pushes: UnboundedSender<PushRequest>,
    claims: UnboundedSender<ClaimMessage>,
    settles: UnboundedSender<SettleRequest>,
    thread: RuntimeThread,
    shared: Arc<Shared>,
    renewals: Arc<RenewConnections>,
    pool: UnitOfWorkPool,
    limits: Limits,
    is_closed: AtomicBool,
}

/// The number of push tasks: while one waits for its commit, the other collects the next batch.
const PUSH_TASKS: usize = 2;

impl PostgresQueue {
    /// Starts the tasks and migrates or checks the schema.
    pub(crate) async fn open(settings: Settings) -> Result<Self, QueueError> {
        let (pushes, push_requests) = unbounded_channel();
        let (claims, claim_messages) = unbounded_channel();
        let (settles, settle_requests) = unbounded_channel();
        let (to_blocked_pushes, blocked_pushes) = unbounded_channel();
        let (to_blocked_settles, blocked_settles) = unbounded_channel();
        let health = Arc::new(ListenerHealth::new(settings.poll_interval));
        let poll = PollInterval { interval: settings.poll_interval, health: health.clone() };
        let shared = Arc::new(Shared::new(settings.target, claims.downgrade()));
        let thread = {
            let (shared, releases) = (shared.clone(), settles.downgrade());
            RuntimeThread::start(move |_| async move {
                let push_requests = Arc::new(Mutex::new(push_requests));
                let push =
                    || PushTask::new(push_requests.clone(), to_blocked_pushes.clone(), shared.clone()).run();
                let pushes: Vec<_> = (0..PUSH_TASKS).map(|_| push()).collect();
                drop(to_blocked_pushes);
                let blocked_pushes = BlockedPushTask::new(blocked_pushes, shared.clone()).run();
                let claims = ClaimTask::new(claim_messages, releases, shared.clone(), poll).run();
                let settles = SettleTask::new(settle_requests, to_blocked_settles, shared.clone()).run();
                let blocked_settles = BlockedSettleTask::new(blocked_settles, shared.clone()).run();
                // The tasks end when the last handle is dropped, after they have answered all requests sent before.
                tokio::join!(join_all(pushes), blocked_pushes, claims, settles, blocked_settles);
            })?
        };
        let migrated = {
            let target = shared.target.clone();
            let run_migrations = settings.run_migrations;
            async move {
                if run_migrations {
                    migrations::migrate(&target).await
                } else {
                    migrations::check(&target).await
                }
            }
        };
        thread.run(migrated).await?;
        let pool = UnitOfWorkPool::new(settings.pool, shared.target.clone(), thread.clone());
        thread.spawn(ListenTask::new(shared.clone(), health, settings.poll_interval).run());
        thread.spawn(prune::run(shared.clone(), settings.retention));
        let renewals = Arc::new(RenewConnections::new(shared.target.clone()));
        let (limits, is_closed) = (settings.limits, AtomicBool::new(false));
        Ok(Self(Arc::new(OpenQueue {
            pushes,
            claims,
            settles,
            thread,
            shared,
            renewals,
            pool,
            limits,
            is_closed,
        })))
    }

    /// Closes the queue for this handle and its clones: pushes and claims, waiting ones too, return `Closed`; leased jobs
    /// can still be renewed and settled. Stored jobs stay stored.
    pub fn close(&self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
        // A claim task that has ended has no waiting claims.
        drop(self.0.claims.send(ClaimMessage::Close));
    }

    /// Polls at once for jobs that other processes have stored and for jobs that have become due, without waiting for a
    /// notification or the next poll. Returns after the scan.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops waiting for it.
    pub async fn poll_now(&self) {
        let (reply, answer) = oneshot::channel();
        if self.0.claims.send(ClaimMessage::PollNow(reply)).is_ok() {
            // A claim task that has ended has nothing to poll for.
            drop(answer.await);
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), QueueError> {
        if self.0.is_closed.load(Ordering::SeqCst) { Err(QueueError::closed()) } else { Ok(()) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(crate) fn thread(&self) -> &RuntimeThread {
        &self.0.thread
    }

    pub(crate) fn pool(&self) -> &UnitOfWorkPool {
        &self.0.pool
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }
}

#[async_trait]
impl Queue for PostgresQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.check_open()?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = encode(jobs, self.limits())?;
        check_storable(&jobs)?;
        let (reply, answer) = oneshot::channel();
        self.0.pushes.send(PushRequest { jobs, reply }).map_err(|_| thread_gone())?;
        answer.await.map_err(|_| thread_gone())?
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.check_open()?;
        if demand.queues.is_empty() {
            return Err(QueueError::invalid("the claim names no queue"));
        }
        let (reply, mut answer) = oneshot::channel();
        let claim = WaitingClaim { demand: demand.clone(), deadline: None, reply };
        self.0.claims.send(ClaimMessage::Claim(claim)).map_err(|_| thread_gone())?;
        tokio::select! {
            biased;
            answered = &mut answer => return Ok(answered.map_err(|_| thread_gone())??.received()),
            () = demand.stopped() => self.0.claims.send(ClaimMessage::Stop).map_err(|_| thread_gone())?,
        }
        // A statement that runs may have leased jobs for this claim: its answer is awaited, never dropped.
        Ok(answer.await.map_err(|_| thread_gone())??.received())
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        if heartbeats.is_empty() {
            return Ok(Vec::new());
        }
        // Each lease is renewed once, even if the caller passes it several times.
        let mut distinct: Vec<Lease> = Vec::with_capacity(heartbeats.len());
        let mut index_of = HashMap::new();
        let mut indexes = Vec::with_capacity(heartbeats.len());
        for Heartbeat { lease, .. } in heartbeats {
            let index = *index_of.entry((lease.job, lease.fence)).or_insert_with(|| {
                distinct.push(lease.clone());
                distinct.len() - 1
            });
            indexes.push(index);
        }
        let (connections, shared) = (self.0.renewals.clone(), self.0.shared.clone());
        let shortest = heartbeats.iter().map(|heartbeat| heartbeat.lease.length).min().unwrap_or_default();
        let renew = async move {
            let renewals = connections
                .call(shortest, &|connection| {
                    let renew = shared
                        .sql
                        .renew
                        .query()
                        .bind(distinct.iter().map(|lease| lease.job.as_uuid()).collect::<Vec<Uuid>>())
                        .bind(distinct.iter().map(|lease| to_i64(lease.fence.0)).collect::<Vec<_>>())
                        .bind(distinct.iter().map(|lease| micros(lease.length)).collect::<Vec<_>>());
                    let count = distinct.len();
                    Box::pin(async move { renewed(&renew.fetch_all(connection).await?, count) })
                })
                .await?;
            Ok(indexes.into_iter().filter_map(|index| renewals.get(index).cloned()).collect())
        };
        self.thread().run(renew).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let mut settlements = settlements;
        check_supported(&settlements)?;
        let followups = encode_followups(&mut settlements, self.limits())?;
        followups.iter().try_for_each(|followups| check_storable(followups))?;
        let mut answers = Vec::new();
        for (settlements, followups) in split(settlements, followups) {
            let (reply, answer) = oneshot::channel();
            self.0
                .settles
                .send(SettleRequest { settlements, followups, reply })
                .map_err(|_| thread_gone())?;
            answers.push(answer);
        }
        let mut settled = Vec::new();
        for answer in answers {
            settled.extend(answer.await.map_err(|_| thread_gone())??);
        }
        Ok(settled)
    }
}

/// Reads the rows that `renew` returns: one for each lease that is held.
fn renewed(rows: &[PgRow], count: usize) -> sqlx::Result<Vec<Renewal>> {
    let mut renewals = vec![Renewal::Lost; count];
    for row in rows {
        let index: i32 = row.try_get(0)?;
        let (expires_at, cancel): (Timestamp, _) = (timestamp(row, 1)?, row.try_get(2)?);
        if let Some(renewal) = usize::try_from(index).ok().and_then(|index| renewals.get_mut(index)) {
            *renewal = Renewal::held(expires_at, cancel);
        }
    }
    Ok(renewals)
}

/// Fails for a transition that this backend is too old for.
///
/// Each backend has its own list: queue-core may know more transitions than the backend was written for.
fn check_supported(settlements: &[Settlement]) -> Result<(), QueueError> {
    for settlement in settlements {
        match &settlement.transition {
            Transition::Complete { .. }
            | Transition::Retry { .. }
            | Transition::Snooze { .. }
            | Transition::Discard { .. }
            | Transition::Cancel { .. }
            | Transition::Release => {}
            newer => {
                return Err(QueueError::unsupported(format!(
                    "this backend is older than the transition `{newer}`"
                )));
            }
        }
    }
    Ok(())
}

impl fmt::Debug for PostgresQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresQueue").field("database", &self.0.shared.target).finish_non_exhaustive()
    }
}
