//! The operations that run beside another caller's open transaction. Each works on its own jobs, keys and queues, so none of
//! them may be delayed or fail.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::admin::{Cancellation, Filter, PageRequest, Prune};
use queue_core::backend::error_chain;
use queue_core::{
    Admin, Demand, Heartbeat, JobId, Lease, NewJob, QueueError, QueueName, Renewal, Settled, Settlement,
    State, Transition, Unique,
};

use super::harness::StoreHarness;
use crate::conformance::jobs::{id, job};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How soon the job of an operation becomes due, and how soon a lease expires.
const SOON: Duration = Duration::from_millis(50);

/// The queues of the jobs that are due, and of the leases that have expired, before a transaction begins.
const DUE: &str = "due";
const EXPIRED: &str = "expired";

/// Why an operation went wrong.
pub(super) struct Wrong(pub(super) String);

impl From<QueueError> for Wrong {
    fn from(error: QueueError) -> Self {
        Self(format!("failed: {} ({:?})", error_chain(&error), error.kind()))
    }
}

type Made = BoxFuture<'static, Result<(), Wrong>>;

/// An operation to run.
pub(super) struct Operation {
    pub(super) what: &'static str,
    /// Whether it only reads.
    pub(super) reads: bool,
    /// Runs it on a handle, and checks its answer.
    pub(super) make: Box<dyn FnOnce(Arc<dyn Admin>) -> Made + Send>,
}

/// The jobs of one caller.
#[derive(Clone)]
pub(super) struct Beside {
    number: u32,
    leases: Vec<Lease>,
}

/// The number of jobs that a caller has claimed.
const BUSY: u32 = 12;

impl Beside {
    /// Stores the jobs that the operations of a caller work on. Each caller of a store needs a number of its own.
    pub(super) async fn prepare(harness: &StoreHarness, queue: &dyn Admin, number: u32) -> Self {
        let mut caller = Self { number, leases: Vec::new() };
        let waiting = (1..=3).map(|place| caller.job(place, "waiting").delay(HOUR));
        let replaced = caller.job(4, "waiting").delay(HOUR).unique(format!("replaced-{number}"));
        let ready = caller.job(0, "ready");
        harness.push(queue, waiting.chain([ready, replaced]).collect()).await;
        harness.push(queue, (0..BUSY).map(|place| caller.job(10 + place, "busy")).collect()).await;
        let demand = Demand::new(caller.queue("busy"), BUSY as usize).lease(HOUR);
        let claim = harness.steps().ok("a claim", queue.claim(&demand)).await;
        assert!(
            claim.len() == BUSY as usize,
            "{} of {BUSY} ready jobs were delivered to one claim",
            claim.len()
        );
        caller.leases = claim.into_iter().map(|delivery| delivery.lease).collect();
        for finished in [10, 11] {
            // Discarded, so that the prune of completed jobs does not remove them.
            let transition = Transition::Discard { error: "no".to_owned() };
            settle(queue, Settlement::new(caller.lease(finished), transition))
                .await
                .unwrap_or_else(|Wrong(why)| panic!("a settlement {why}"));
        }
        caller
    }

    /// Stores for each caller a job that is due and a job whose lease has expired, and waits until they are.
    /// No call has promoted or expired them since.
    pub(super) async fn let_time_pass(harness: &StoreHarness, queue: &dyn Admin, callers: &[Self]) {
        let expired: Vec<_> = callers.iter().map(|caller| caller.job(5, EXPIRED).queue(EXPIRED)).collect();
        let due: Vec<_> = callers.iter().map(|caller| caller.job(6, DUE).queue(DUE).delay(SOON)).collect();
        let all: Vec<_> = expired.iter().chain(&due).filter_map(|job| job.id).collect();
        harness.push(queue, expired).await;
        let demand = Demand::new(EXPIRED, callers.len()).lease(SOON);
        harness.steps().ok("a claim", queue.claim(&demand)).await;
        harness.push(queue, due).await;
        for job in all {
            harness.is_in(queue, job, State::Available).await;
        }
    }

    fn queue(&self, name: &str) -> QueueName {
        QueueName::from(format!("{name}-{}", self.number))
    }

    fn key(&self, key: &str) -> Unique {
        Unique::new(format!("{key}-{}", self.number))
    }

    fn id(&self, place: u32) -> JobId {
        id(self.number * 1_000 + place)
    }

    fn job(&self, place: u32, queue: &str) -> NewJob {
        job(place).id(self.id(place)).queue(self.queue(queue))
    }

    fn lease(&self, place: u32) -> Lease {
        let id = self.id(place);
        let lease = self.leases.iter().find(|lease| lease.job == id);
        lease.unwrap_or_else(|| panic!("job {id} was not claimed")).clone()
    }

    fn ends(&self, place: u32) -> Settlement {
        Settlement::new(self.lease(place), Transition::complete())
    }

    /// Returns every operation, each on jobs of its own.
    pub(super) fn operations(&self) -> Vec<Operation> {
        let mut operations = self.pushes();
        operations.extend(self.claims());
        operations.extend(self.ends_of_attempts());
        operations.extend(self.requests_of_operators());
        operations.extend(self.read_operations());
        operations
    }

    fn pushes(&self) -> Vec<Operation> {
        let pushes = [
            ("a push", self.job(100, "pushed")),
            ("a push to a queue that is new", self.job(101, "new")),
            ("a push of another unique key", self.job(102, "pushed").unique(self.key("another"))),
            ("a push of another key that is held", self.job(103, "pushed").unique(self.key("replaced"))),
            (
                "a push that replaces another job",
                self.job(104, "pushed").delay(HOUR).unique(self.key("replaced").replace()),
            ),
        ];
        pushes.into_iter().map(|(what, job)| writes(what, move |queue| push(queue, job))).collect()
    }

    fn claims(&self) -> Vec<Operation> {
        let ready = self.queue("ready");
        let soon = self.job(110, "soon").delay(SOON);
        let lost = self.job(111, "lost");
        vec![
            writes("a claim of a ready job", move |queue| claim(queue, ready)),
            writes("a claim of a job that was due before", |queue| claim(queue, DUE.into())),
            writes("a claim of a job whose lease had expired before", |queue| claim(queue, EXPIRED.into())),
            writes("a claim of a job that becomes due", |queue| async move {
                let from = soon.queue.clone();
                push(queue.clone(), soon).await?;
                claim(queue, from).await
            }),
            writes("a claim of a job whose lease expires", |queue| async move {
                let from = lost.queue.clone();
                push(queue.clone(), lost).await?;
                queue.claim(&Demand::new(from.clone(), 1).lease(SOON)).await?;
                claim(queue, from).await
            }),
        ]
    }

    fn ends_of_attempts(&self) -> Vec<Operation> {
        let leases: Vec<_> = (12..20).map(|place| self.lease(place)).collect();
        let followed = |place, followup| {
            let mut settlement = self.ends(place);
            settlement.followups.push(followup);
            settlement
        };
        let mut retried = self.ends(15);
        retried.transition = Transition::Retry { at: self.lease(15).expires_at, error: "later".to_owned() };
        let settlements = [
            ("a completion", self.ends(12)),
            ("a completion with a followup", followed(13, self.job(120, "followups"))),
            (
                "a completion with a followup of another unique key",
                followed(14, self.job(121, "followups").unique(self.key("followup"))),
            ),
            ("a retry of an attempt", retried),
        ];
        let settlements = settlements
            .into_iter()
            .map(|(what, settlement)| writes(what, |queue| async move { settle(&*queue, settlement).await }));
        let renewal = writes("a renewal", move |queue| async move {
            match queue.renew(&Heartbeat::of(&leases)).await? {
                renewed if renewed.iter().all(|renewal| matches!(renewal, Renewal::Held { .. })) => Ok(()),
                renewed => Err(Wrong(format!("returned that a lease is lost: {renewed:?}"))),
            }
        });
        [renewal].into_iter().chain(settlements).collect()
    }

    fn requests_of_operators(&self) -> Vec<Operation> {
        let [cancelled, retried, deleted, executing] = [1, 2, 3, 19].map(|place| self.id(place));
        let [finished, also_finished] = [10, 11].map(|place| self.id(place));
        let name = self.queue("paused");
        vec![
            writes("a cancel of a waiting job", move |queue| async move {
                is(&queue.cancel(cancelled, "no longer wanted").await?, &Cancellation::Cancelled)
            }),
            writes("a cancel of an executing job", move |queue| async move {
                is(&queue.cancel(executing, "no longer wanted").await?, &Cancellation::Requested)
            }),
            writes("`retry` of a waiting job", move |queue| async move { Ok(queue.retry(retried).await?) }),
            writes("`retry` of a finished job", move |queue| async move { Ok(queue.retry(finished).await?) }),
            writes("`delete`", move |queue| async move {
                queue.delete(deleted).await?;
                Ok(queue.delete(also_finished).await?)
            }),
            writes("`prune`", |queue| async move {
                queue.prune(&Prune::older_than(HOUR)).await?;
                Ok(())
            }),
            writes("`pause` and `resume` of another queue", |queue| async move {
                queue.pause(&name).await?;
                Ok(queue.resume(&name).await?)
            }),
        ]
    }

    fn read_operations(&self) -> Vec<Operation> {
        let executing = self.id(18);
        let filter = Filter::all().queue(self.queue("busy")).state(State::Executing);
        vec![
            reads("`get`", move |queue| async move {
                let state = queue.get(executing).await?.map(|job| job.state);
                is(&state, &Some(State::Executing))
            }),
            reads("`list`", move |queue| async move {
                let found = queue.list(&filter, &PageRequest::first(100)).await?.jobs;
                is(&found.iter().any(|job| job.id == executing), &true)
            }),
            reads("`counts`", |queue| async move {
                let counts = queue.counts().await?;
                is(&counts.iter().any(|counts| counts.of(State::Executing) > 0), &true)
            }),
        ]
    }

    /// Renews leases of its own in one call with another lease, which a transaction may hold. Returns what went wrong.
    pub(super) async fn is_renewed_beside(
        &self,
        held: Option<Lease>,
        queue: &dyn Admin,
        bound: Duration,
    ) -> Option<String> {
        let leases: Vec<_> = held.into_iter().chain((16..19).map(|place| self.lease(place))).collect();
        let what = "a renewal of leases, the held one among them,";
        let own = 3;
        match tokio::time::timeout(bound, queue.renew(&Heartbeat::of(&leases))).await {
            Ok(Ok(renewed)) => {
                let held = renewed.iter().rev().take(own);
                let are_held = held.clone().all(|renewal| matches!(renewal, Renewal::Held { .. }));
                (!are_held || held.len() < own).then(|| format!("{what} lost others: {renewed:?}"))
            }
            Ok(Err(error)) => Some(format!("{what} failed: {}", queue_core::backend::error_chain(&error))),
            Err(_) => Some(format!("{what} did not answer within {bound:?}")),
        }
    }

    /// Checks that no lease was lost that the operations have left alone.
    pub(super) async fn holds_its_leases(&self, harness: &StoreHarness, queue: &dyn Admin) {
        let leases: Vec<_> = (16..19).map(|place| self.lease(place)).collect();
        let renewed = harness.steps().ok("a renewal", queue.renew(&Heartbeat::of(&leases))).await;
        let are_held = renewed.iter().all(|renewal| matches!(renewal, Renewal::Held { .. }));
        assert!(are_held, "a lease was lost while a transaction was open: {renewed:?}");
    }
}

fn operation<F, W>(what: &'static str, reads: bool, make: F) -> Operation
where
    F: FnOnce(Arc<dyn Admin>) -> W + Send + 'static,
    W: Future<Output = Result<(), Wrong>> + Send + 'static,
{
    Operation { what, reads, make: Box::new(move |queue| Box::pin(make(queue))) }
}

fn writes<F, W>(what: &'static str, make: F) -> Operation
where
    F: FnOnce(Arc<dyn Admin>) -> W + Send + 'static,
    W: Future<Output = Result<(), Wrong>> + Send + 'static,
{
    operation(what, false, make)
}

fn reads<F, W>(what: &'static str, make: F) -> Operation
where
    F: FnOnce(Arc<dyn Admin>) -> W + Send + 'static,
    W: Future<Output = Result<(), Wrong>> + Send + 'static,
{
    operation(what, true, make)
}

/// Checks an answer.
fn is<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), Wrong> {
    if found == expected {
        return Ok(());
    }
    Err(Wrong(format!("returned {found:?}, and must return {expected:?}")))
}

async fn push(queue: Arc<dyn Admin>, job: NewJob) -> Result<(), Wrong> {
    let receipts = queue.push(vec![job]).await?;
    is(&receipts.len(), &1)
}

async fn claim(queue: Arc<dyn Admin>, from: QueueName) -> Result<(), Wrong> {
    let claimed = queue.claim(&Demand::new(from.clone(), 1).lease(HOUR)).await?;
    let queues: Vec<_> = claimed.into_iter().map(|delivery| delivery.queue).collect();
    is(&queues, &vec![from])
}

async fn settle(queue: &dyn Admin, settlement: Settlement) -> Result<(), Wrong> {
    is(&queue.settle(vec![settlement]).await?, &vec![Settled::Applied])
}
