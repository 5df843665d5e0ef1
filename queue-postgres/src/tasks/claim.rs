//! The claim task: runs the claims of all callers in shared statements.
//!
//! A claim that finds no job waits here, in the order of arrival, until this process or a notification wakes the task,
//! until a job becomes due or a lease expires, or until the next poll.
//!
//! # Tasks and shared state
//!
//! The task alone owns its connection, the waiting claims and the scan hints. It receives [`ClaimMessage`]s over an
//! unbounded channel, sends releases to the settle task, and reads whether the listener is healthy.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | a caller | the claim task | it claims, calls `poll_now`, stops a claim, or closes the queue |
//! | the push and settle tasks, a unit of work, an operator's call | the claim task | jobs may have become ready |
//! | the listener | the claim task | a notification of another process arrived, or some may have been lost |
//! | the claim task | a caller | its claim has jobs, its wait is over, it was stopped, the scan failed, or the queue is closed |
//! | the claim task | a caller of `poll_now` | the scan is done |
//! | the claim task | the settle task | a claim was answered with jobs, and the caller no longer receives them |
//! | the claim task | the listener | a claim waits, and the listener is parked |
//!
//! # Shutdown
//!
//! The task ends when the last sender of its messages is dropped, which is the queue's last handle: [`Shared`] has only a
//! weak sender. After `Close`, the task answers waiting and later claims with `Closed`, and still runs until the last
//! sender is dropped.
//!
//! # Races
//!
//! - A job may be pushed while a scan runs. The `Wake` that follows the push's commit is queued, and causes another
//!   scan. If no claim waits, no `Wake` is sent, and the next claim's own scan finds the job.
//! - A caller may be dropped after its job was leased. The claim's `Handover` releases the job through the settle task.
//! - A connection may break during a claim. The claim is sent once more; jobs that the lost answer leased stay
//!   leased until they expire.
//! - A stop may arrive while a scan leases jobs for the stopped claim. The caller awaits the answer, so the jobs reach
//!   it.
//!
//! **Invariants:** one call of the statement is one transaction, and no claim is answered before its commit. Before
//! a claim that timed out is answered empty, a full scan has run.

mod scan;
mod scan_hints;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::{Encoded, Linger, Reply};
use queue_core::{Delivery, QueueError, Settlement, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};
use tokio::time::Instant;

use crate::connection::ReconnectingConnection;
use crate::error::to_queue_error;
use crate::liveness::LivenessChecks;
use crate::requests::{ClaimMessage, SettleRequest, WaitingClaim};
use crate::runtime_thread::thread_gone;
use crate::shared::Shared;
use crate::tasks::linger;
use scan::{ScanResult, ScanStart};
use scan_hints::ScanHints;
use waiting::WaitingClaims;

pub(crate) use waiting::PollInterval;

/// The approximate maximum number of jobs that one statement claims.
const MAX_JOBS: usize = 10_000;

/// How long the task waits for the callers of the previous statement to call again.
const LINGER: Duration = Duration::from_micros(50);

pub(crate) struct ClaimTask {
    messages: UnboundedReceiver<ClaimMessage>,
    /// Releases jobs whose caller was dropped.
    settles: WeakUnboundedSender<SettleRequest>,
    connection: ReconnectingConnection,
    shared: Arc<Shared>,
    waiting: WaitingClaims,
    scan_hints: ScanHints,
    linger: Linger,
}

/// The messages that are handled together.
#[derive(Default)]
struct Batch {
    polls: Vec<Reply<()>>,
    /// Whether there may be jobs, or a new claim has arrived.
    is_woken: bool,
    weight: usize,
    count: usize,
}

impl ClaimTask {
    pub(crate) fn new(
        messages: UnboundedReceiver<ClaimMessage>,
        settles: WeakUnboundedSender<SettleRequest>,
        shared: Arc<Shared>,
        poll: PollInterval,
    ) -> Self {
        Self {
            messages,
            settles,
            connection: shared.connection().with_checks(LivenessChecks::for_claims(poll.interval)),
            shared,
            waiting: WaitingClaims::new(poll),
            scan_hints: ScanHints::default(),
            linger: Linger::new(LINGER),
        }
    }

    /// Runs until all senders of messages are dropped.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.collect_batch().await {
            self.process_batch(batch).await;
        }
    }

    async fn collect_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        tokio::select! {
            biased;
            message = self.messages.recv() => self.accept(message?, &mut batch),
            () = self.waiting.wait_for_work() => batch.is_woken = true,
        }
        let arrived = batch.count + self.messages.len();
        let mut window = self.linger.begin(self.linger.last_batch().max(arrived));
        while batch.weight < MAX_JOBS {
            match self.messages.try_recv() {
                Ok(message) => self.accept(message, &mut batch),
                Err(_) if !linger(&mut window, batch.count).await => break,
                Err(_) => {}
            }
        }
        self.linger.end(window, batch.count);
        Some(batch)
    }

    fn accept(&mut self, message: ClaimMessage, batch: &mut Batch) {
        match message {
            ClaimMessage::Claim(claim) => {
                batch.count += 1;
                batch.weight += claim.demand.max.min(1_000);
                batch.is_woken = true;
                // Before the scan: see the races of `Shared`.
                self.shared.set_waiting_claims(true);
                self.waiting.claims.push(claim);
            }
            ClaimMessage::Wake => batch.is_woken = true,
            ClaimMessage::PollNow(poll) => {
                batch.is_woken = true;
                batch.polls.push(poll);
                self.scan_hints.force_full_scan();
            }
            ClaimMessage::Stop => self.waiting.claims.end_waits(|claim| claim.demand.is_stopped()),
            ClaimMessage::Close => self.waiting.claims.close(),
        }
    }

    /// Scans for jobs if a claim waits, and then answers the calls of `poll_now`.
    async fn process_batch(&mut self, batch: Batch) {
        self.waiting.claims.drop_cancelled();
        if batch.is_woken && !self.waiting.claims.is_empty() {
            self.scan_and_answer().await;
        }
        self.shared.set_waiting_claims(!self.waiting.claims.is_empty());
        for poll in batch.polls {
            poll.send(Ok(()));
        }
    }

    async fn scan_and_answer(&mut self) {
        let start = self.scan_hints.start(Instant::now(), self.waiting.claims.queues());
        let mut scan = match self.scan(&start).await {
            Ok(scan) => scan,
            Err(error) => return self.fail_all(&error),
        };
        self.shared.report_expired(scan.discarded.as_deref());
        self.scan_hints.record(Instant::now(), &start, self.waiting.claims.queues(), &scan);
        let mut deliveries: Vec<Vec<Delivery>> = Vec::new();
        deliveries.resize_with(self.waiting.claims.len(), Vec::new);
        for (claim, delivery) in std::mem::take(&mut scan.deliveries) {
            if let Some(deliveries) = deliveries.get_mut(claim) {
                deliveries.push(delivery);
            }
        }
        for claim in self.waiting.take_served(deliveries, scan.now) {
            let settles = self.settles.clone();
            claim.answer(move |released| release(&settles, released));
        }
        if start.is_full_scan() {
            self.waiting.claims.end_waits(|claim| has_timed_out(claim, scan.now));
        } else if self.waiting.claims.iter().any(|claim| has_timed_out(claim, scan.now)) {
            self.scan_hints.force_full_scan();
        }
        let full_scan_at = self.scan_hints.full_scan_at(self.waiting.claims.queues());
        self.waiting.schedule_wakeup(&scan, full_scan_at);
    }

    async fn scan(&mut self, start: &ScanStart) -> Result<ScanResult, QueueError> {
        let claims: Vec<&WaitingClaim> = self.waiting.claims.iter().collect();
        let (sql, claims) = (&self.shared.sql.claim, &claims);
        let rows = self
            .connection
            .call_idempotent(&move |connection| {
                Box::pin(scan::bind_claims(sql.query(), claims, start).fetch_all(connection))
            })
            .await?;
        ScanResult::from_rows(&rows, claims).map_err(|error| to_queue_error(error, &self.shared.target))
    }

    fn fail_all(&mut self, error: &QueueError) {
        tracing::debug!(database = %self.shared.target, ?error, "a claim failed");
        self.waiting.claims.fail(error);
    }
}

fn has_timed_out(claim: &WaitingClaim, now: Timestamp) -> bool {
    claim.deadline.is_some_and(|deadline| deadline <= now)
}

/// Releases jobs that no caller received. If the settle task has ended, their leases expire.
fn release(settles: &WeakUnboundedSender<SettleRequest>, settlements: Vec<Settlement>) {
    let Some(settles) = settles.upgrade() else { return };
    let followups: Vec<Vec<Encoded>> = settlements.iter().map(|_| Vec::new()).collect();
    // No caller waits for the answer.
    let (reply, _) = Reply::new(thread_gone);
    drop(settles.send(SettleRequest { settlements, followups, reply }));
}
