//! The queue under test, and the steps that laws take with it.
//!
//! Each step is recorded before it is taken. Its failure names the call and the answer.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use queue_core::admin::{Filter, PageRequest, Prune};
use queue_core::{
    Admin, Delivery, Demand, Heartbeat, JobId, JobRecord, Lease, NewJob, QueueError, QueueErrorKind,
    QueueExt as _, QueueName, Receipt, Renewal, Settled, Settlement, State, Timestamp, Transition,
};

use super::factory::FixtureFactory;
use super::waiter::{self, Claimed, Ended, Pushed, Waiter};
use crate::Fixture;
use crate::law::Steps;
use crate::law::expect_eq;

pub(super) struct QueueHarness {
    factory: FixtureFactory,
    fixture: Arc<dyn Fixture>,
    queue: Arc<dyn Admin>,
    steps: Steps,
}

impl QueueHarness {
    pub(super) async fn new(factory: FixtureFactory, steps: Steps) -> Self {
        let fixture = factory.make().await;
        let queue = fixture.queue();
        Self { factory, fixture, queue, steps }
    }

    /// Returns a harness for another handle on the store, or for another queue.
    pub(super) fn with_queue(&self, queue: Arc<dyn Admin>) -> Self {
        let (factory, fixture) = (self.factory.clone(), self.fixture.clone());
        Self { factory, fixture, queue, steps: self.steps.clone() }
    }

    pub(super) fn factory(&self) -> &FixtureFactory {
        &self.factory
    }

    pub(super) fn fixture(&self) -> &dyn Fixture {
        &*self.fixture
    }

    pub(super) fn queue(&self) -> &Arc<dyn Admin> {
        &self.queue
    }

    pub(super) fn now(&self) -> Timestamp {
        self.fixture.now()
    }

    pub(super) async fn advance(&self, by: Duration) {
        self.note(format!("moving the clock by {by:?}"));
        self.fixture.advance(by).await;
    }

    /// Returns the steps, for a task of the law.
    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Records the next step, for the message of a failure.
    pub(super) fn note(&self, step: impl Into<String>) {
        self.steps.note(step);
    }

    /// Takes a step that must finish and succeed.
    pub(super) async fn ok<T>(
        &self,
        step: impl Into<String>,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> T {
        self.steps.ok(step, call).await
    }

    /// Takes a step that must fail with this kind of error.
    pub(super) async fn fails_with<T: fmt::Debug>(
        &self,
        kind: QueueErrorKind,
        step: impl Into<String>,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> QueueError {
        self.steps.fails_with(kind, step, call).await
    }

    pub(super) async fn receipts(&self, jobs: Vec<NewJob>) -> Vec<Receipt> {
        let count = jobs.len();
        let receipts = self.ok(format!("a push of {count} jobs"), self.queue.push(jobs)).await;
        expect_eq!(
            receipts.len(),
            count,
            "a push of {count} jobs must return as many receipts: {receipts:?}"
        );
        receipts
    }

    /// Pushes jobs, all of which must be stored.
    pub(super) async fn push(&self, jobs: Vec<NewJob>) -> Vec<JobId> {
        let receipts = self.receipts(jobs).await;
        let is_stored = |receipt: &Receipt| matches!(receipt, Receipt::Stored(_));
        assert!(
            receipts.iter().all(is_stored),
            "each of these jobs must be stored, and the receipts are {receipts:?}"
        );
        receipts.into_iter().map(Receipt::id).collect()
    }

    /// Enqueues a job that must be stored. A backend may have another code path for a single job than for a batch.
    pub(super) async fn push_one(&self, job: NewJob) -> JobId {
        let enqueued = async { self.queue.enqueue(job).await.map(Receipt::from) };
        match self.ok("`enqueue` of a job", enqueued).await {
            Receipt::Stored(id) => id,
            other => panic!("a job must be stored, and `enqueue` returned {other:?}"),
        }
    }

    /// Starts a claim that may wait.
    pub(super) fn claiming(&self, demand: Demand) -> Waiter<Claimed> {
        self.note(format!("a claim that may wait: {demand:?}"));
        waiter::claim(&self.queue, self.steps.patience(), demand)
    }

    /// Starts a push that may wait.
    pub(super) fn pushing(&self, jobs: Vec<NewJob>) -> Waiter<Pushed> {
        self.note(format!("a push of {} jobs that may wait", jobs.len()));
        waiter::push(&self.queue, self.steps.patience(), jobs)
    }

    /// Starts a wait for the end of jobs.
    pub(super) fn ending(&self, ids: &[JobId], wait: Duration) -> Waiter<Ended> {
        self.note(format!("a wait of {wait:?} for the end of {ids:?}"));
        waiter::ended(&self.queue, self.steps.patience(), ids.to_vec(), wait)
    }

    /// Claims ready jobs, without waiting.
    pub(super) async fn claim(&self, demand: Demand) -> Vec<Delivery> {
        let demand = demand.wait(Duration::ZERO);
        let step = format!("a claim of up to {} of {:?} that doesn't wait", demand.max, demand.queues);
        let deliveries = self.ok(step.clone(), self.queue.claim(&demand)).await;
        assert!(deliveries.len() <= demand.max, "{step} returned {} jobs", deliveries.len());
        deliveries
    }

    /// Claims up to `max` jobs of the default queue, without waiting.
    pub(super) async fn claim_up_to(&self, max: usize) -> Vec<Delivery> {
        self.claim(Demand::new(QueueName::DEFAULT, max)).await
    }

    /// Claims one job of the default queue, which must be ready.
    #[track_caller]
    pub(super) fn claim_one(&self) -> impl Future<Output = Delivery> + '_ {
        let place = Location::caller();
        async move {
            let mut deliveries = self.claim_up_to(1).await;
            deliveries
                .pop()
                .unwrap_or_else(|| panic!("a job must be ready (at {place}), and the claim returned none"))
        }
    }

    /// Checks that nothing is ready in the default queue.
    #[track_caller]
    pub(super) fn nothing_is_ready(&self) -> impl Future<Output = ()> + '_ {
        let place = Location::caller();
        async move {
            let deliveries = self.claim_up_to(1).await;
            assert!(
                deliveries.is_empty(),
                "no job must be ready (at {place}), and the claim returned {deliveries:?}"
            );
        }
    }

    pub(super) async fn renew(&self, lease: &Lease) -> Renewal {
        let renewals = self.ok("a renewal", self.queue.renew(&[Heartbeat::new(lease.clone())])).await;
        expect_eq!(renewals.len(), 1, "renewing one lease must return one answer: {renewals:?}");
        renewals.into_iter().next().unwrap_or(Renewal::Lost)
    }

    pub(super) async fn settled(&self, settlements: Vec<Settlement>) -> Vec<Settled> {
        let count = settlements.len();
        let settled =
            self.ok(format!("a settlement of {count} attempts"), self.queue.settle(settlements)).await;
        expect_eq!(settled.len(), count, "{count} settlements must return as many answers: {settled:?}");
        settled
    }

    /// Settles an attempt. The settlement must be applied.
    #[track_caller]
    pub(super) fn settle<'a>(
        &'a self,
        delivery: &'a Delivery,
        transition: Transition,
    ) -> impl Future<Output = ()> + 'a {
        let place = Location::caller();
        async move {
            let settlement = Settlement::new(delivery.lease.clone(), transition.clone());
            let settled = self.settled(vec![settlement]).await;
            expect_eq!(settled, [Settled::Applied], "{transition:?} under a live lease (at {place})");
        }
    }

    /// Returns a job, which must exist.
    #[track_caller]
    pub(super) fn get(&self, id: JobId) -> impl Future<Output = JobRecord> + '_ {
        self.get_for(id, Location::caller())
    }

    /// Checks that a job is in a state, and returns it.
    #[track_caller]
    pub(super) fn is(&self, id: JobId, state: State) -> impl Future<Output = JobRecord> + '_ {
        let place = Location::caller();
        async move {
            let record = self.get_for(id, place).await;
            expect_eq!(record.state, state, "the state of job {id} (at {place}): {record:?}");
            record
        }
    }

    async fn get_for(&self, id: JobId, place: &Location<'_>) -> JobRecord {
        let record = self.ok(format!("`get` of job {id}"), self.queue.get(id)).await;
        record.unwrap_or_else(|| panic!("job {id} must exist (at {place}), and `get` returned `None`"))
    }

    /// Lists all jobs that pass a filter, in pages of `size` jobs.
    pub(super) async fn list(&self, filter: &Filter, size: usize) -> Vec<JobRecord> {
        let (mut jobs, mut page) = (Vec::new(), PageRequest::first(size));
        loop {
            let listing =
                self.ok(format!("`list` of {filter:?}, {page:?}"), self.queue.list(filter, &page)).await;
            assert!(listing.jobs.len() <= size, "a page of {size} had {} jobs", listing.jobs.len());
            assert!(
                listing.next.is_none() || !listing.jobs.is_empty() || page.after != listing.next,
                "`list` returned an empty page with a `next`"
            );
            jobs.extend(listing.jobs);
            match listing.next {
                Some(cursor) => page = PageRequest::after(cursor, size),
                None => return jobs,
            }
        }
    }

    pub(super) async fn ids(&self, filter: &Filter) -> Vec<JobId> {
        self.list(filter, 100).await.into_iter().map(|record| record.id).collect()
    }

    /// Returns the number of jobs of a queue in a state. A queue that is not listed has none.
    pub(super) async fn count(&self, queue: &QueueName, state: State) -> u64 {
        let counts = self.ok("`counts`", self.queue.counts()).await;
        counts.iter().find(|counts| counts.queue == *queue).map_or(0, |counts| counts.of(state))
    }

    /// Returns the number of all jobs.
    pub(super) async fn total(&self) -> u64 {
        let counts = self.ok("`counts`", self.queue.counts()).await;
        counts.iter().flat_map(|counts| State::ALL.map(|state| counts.of(state))).sum()
    }

    pub(super) async fn prune(&self, prune: &Prune) -> u64 {
        self.ok(format!("`prune` of {prune:?}"), self.queue.prune(prune)).await
    }
}

/// Returns the ids of the deliveries.
pub(super) fn ids_of(deliveries: &[Delivery]) -> Vec<JobId> {
    deliveries.iter().map(Delivery::id).collect()
}
