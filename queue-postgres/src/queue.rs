//! The public handle of the queue.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use queue_core::backend::{
    CloseFlag, ExpiryFeed, Intake, PendingClaim, Reply, SupportedRequests, check_demand,
};
use queue_core::{
    Announcement, Delivery, Demand, Heartbeat, NewJob, Queue, QueueError, QueueLimits, QueueName, Receipt,
    Renewal, Settled, Settlement, Timestamp,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::clock_table;
use crate::connect::connect;
use crate::connection::{Session, SpareSessions};
use crate::listener_health::ListenerHealth;
use crate::migrations;
use crate::pool::UnitOfWorkPool;
use crate::requests::{ClaimMessage, SettleRequest, split};
use crate::runtime_thread::{RuntimeThread, thread_gone};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::storable::check_storable;
use crate::tasks::claim::PollInterval;
use crate::tasks::listen::ListenTask;
use crate::tasks::prune::PruneTask;
use crate::tasks::push::Pusher;
use crate::tasks::renew::RenewConnections;
use crate::tasks::start::Tasks;
use crate::tasks::vacuum::VacuumTask;

/// A queue in a PostgreSQL database.
///
/// Cheap to clone; all clones are the same queue. An acknowledged push is committed.
/// It takes jobs without a bound, starts its own thread for I/O, and works from within any async runtime. Claims that
/// wait on one handle and its clones are served in the order of their calls.
///
/// If no other push is under way, a push on a tokio runtime of several threads uses a connection of that runtime, which
/// saves waking the queue's thread. Like all I/O of the runtime, it may stand still while jobs block the runtime's threads.
/// So a thread of the runtime must not block until a push is done, except by tokio's `block_in_place` and `block_on`.
#[derive(Clone)]
pub struct PostgresQueue(Arc<OpenQueue>);

struct OpenQueue {
    pushes: Pusher,
    claims: UnboundedSender<ClaimMessage>,
    settles: UnboundedSender<SettleRequest>,
    thread: RuntimeThread,
    shared: Arc<Shared>,
    renewals: Arc<RenewConnections>,
    pool: UnitOfWorkPool,
    intake: Intake,
    has_test_clock: bool,
    closed: CloseFlag,
}

impl PostgresQueue {
    /// Starts the tasks, and prepares the schema.
    pub(crate) async fn open(settings: Settings) -> Result<Self, QueueError> {
        let health = Arc::new(ListenerHealth::new(settings.poll_interval));
        let poll = PollInterval { interval: settings.poll_interval, health: health.clone() };
        // A test makes one call after the other, and a session serves them in turn.
        let spare_sessions = SpareSessions::new(settings.test_clock.is_some());
        let Tasks { pushes, claims, settles, shared, thread } =
            Tasks::start(settings.target, spare_sessions, poll)?;
        let prepared = {
            let shared = shared.clone();
            async move { prepare(&shared, settings.run_migrations, settings.test_clock).await }
        };
        thread.run(prepared).await?;
        let (target, spares) = (shared.target.clone(), shared.spare_sessions.clone());
        let pool = UnitOfWorkPool::new(settings.pool, target, spares, thread.clone());
        thread.spawn(ListenTask::new(shared.clone(), health, settings.poll_interval).run());
        thread.spawn(VacuumTask::new(shared.clone()).run());
        thread.spawn(PruneTask::new(shared.clone(), settings.retention).run());
        let renewals = Arc::new(RenewConnections::new(shared.clone()));
        Ok(Self(Arc::new(OpenQueue {
            pushes,
            claims,
            settles,
            thread,
            shared,
            renewals,
            pool,
            intake: Intake::new(settings.limits, SupportedRequests::V2).hooks(settings.hooks),
            has_test_clock: settings.test_clock.is_some(),
            closed: CloseFlag::default(),
        })))
    }

    /// Closes the queue for this handle and its clones: pushes and claims, waiting ones too, return `Closed`; leased jobs
    /// can still be renewed and settled. Stored jobs stay stored.
    pub fn close(&self) {
        self.0.closed.close();
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
        let (reply, answer) = Reply::new(thread_gone);
        drop(self.0.claims.send(ClaimMessage::PollNow(reply)));
        // A claim task that has ended has nothing to poll for.
        drop(answer.await);
    }

    pub(crate) fn check_open(&self) -> Result<(), QueueError> {
        self.0.closed.check()
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

    /// Returns whether the queue was opened with a clock that a test moves.
    pub(crate) fn has_test_clock(&self) -> bool {
        self.0.has_test_clock
    }

    pub(crate) fn intake(&self) -> &Intake {
        &self.0.intake
    }
}

/// Migrates or checks the schema, and replaces its clock if the queue is for tests. Leaves the session to the queue's first call.
async fn prepare(
    shared: &Shared,
    run_migrations: bool,
    test_clock: Option<Timestamp>,
) -> Result<(), QueueError> {
    let target = &shared.target;
    let mut connection = connect(target).await?;
    if run_migrations {
        migrations::migrate(&mut connection, target).await?;
    } else {
        migrations::check(&mut connection, target).await?;
    }
    if let Some(start) = test_clock {
        clock_table::install(&mut connection, target, start).await?;
    }
    // If that fails, the first call opens another one, and returns the error of that.
    if let Ok(Ok(session)) = timeout(target.timeout, Session::after_opening(connection, target)).await {
        shared.spare_sessions.leave(session);
    }
    Ok(())
}

#[async_trait]
impl Queue for PostgresQueue {
    fn description(&self) -> String {
        let target = &self.shared().target;
        format!(
            "PostgreSQL {target}, schema `{}`; an acknowledged push is as durable as a commit of the server",
            target.schema
        )
    }

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.check_open()?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = self.intake().jobs(jobs)?;
        check_storable(&jobs)?;
        self.0.pushes.push(jobs).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.check_open()?;
        check_demand(demand)?;
        if let Some(queue) = demand.on_discard.as_ref().and_then(|on_discard| on_discard.queue_name()) {
            // The queue is created now, so that no discard has to create it while another transaction does the same.
            self.create_queues(self.shared().unknown([queue].into_iter())).await?;
        }
        let (claim, mut answer) = PendingClaim::new(demand.clone(), None, thread_gone);
        drop(self.0.claims.send(ClaimMessage::Claim(claim)));
        tokio::select! {
            biased;
            answered = &mut answer => return Ok(answered?.received()),
            () = demand.stopped() => drop(self.0.claims.send(ClaimMessage::Stop)),
        }
        // A statement that runs may have leased jobs for this claim: its answer is awaited, never dropped.
        Ok(answer.await?.received())
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        if heartbeats.is_empty() {
            return Ok(Vec::new());
        }
        let (connections, heartbeats) = (self.0.renewals.clone(), heartbeats.to_vec());
        self.thread().run(async move { connections.renew(&heartbeats).await }).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let (settlements, followups) = self.intake().settlements(settlements)?;
        followups.iter().try_for_each(check_storable)?;
        let mut answers = Vec::new();
        for (settlements, followups) in split(settlements, followups) {
            let (reply, answer) = Reply::new(thread_gone);
            drop(self.0.settles.send(SettleRequest { settlements, followups, reply }));
            answers.push(answer);
        }
        let mut settled = Vec::new();
        for answer in answers {
            settled.extend(answer.await?);
        }
        Ok(settled)
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.store_announcement(announcement).await
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        self.replace_declared_limits(queue, limits).await
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        Some(&self.shared().expiries)
    }
}

impl fmt::Debug for PostgresQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresQueue").field("database", &self.0.shared.target).finish_non_exhaustive()
    }
}
