//! Random operations on shared queues, with the same answers as from the job table.

use std::time::Duration;

use fastrand::Rng;
use queue_core::admin::{Check, Filter, PageRequest, QueueSummary, UsageRequest};
use queue_core::table::{JobTable, Retention, TableConfig};
use queue_core::{
    Admin as _, Clock as _, Delivery, Demand, Fence, Heartbeat, JobId, JobRecord, Lease, Limit, LimitScope,
    NewJob, Partition, Queue as _, QueueError, QueueLimits, QueueName, Settlement, Timestamp, Transition,
    Unique, WorkerId,
};
use queue_sqlite::SqliteQueue;
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};

const QUEUES: [&str; 2] = ["a", "b"];
const PARTITIONS: [&str; 5] = ["", "acme", "globex", "initech", "ü"];

/// A queue and the job table, which get the same calls.
struct Comparison {
    random: Rng,
    clock: VirtualClock,
    queue: SqliteQueue,
    table: JobTable,
    leases: Vec<Lease>,
    ids: Vec<JobId>,
}

impl Comparison {
    async fn new(seed: u64) -> Result<Self, QueueError> {
        let clock = VirtualClock::new();
        let builder = SqliteQueue::builder(":memory:").clock(clock.clone());
        let builder = builder.keep_completed(None).keep_cancelled(None).keep_discarded(None);
        let mut config = TableConfig::default();
        config.retention = Retention::everything();
        Ok(Self {
            random: Rng::with_seed(seed),
            clock,
            queue: builder.open().await?,
            table: JobTable::new(config),
            leases: Vec::new(),
            ids: Vec::new(),
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.random.usize(..items.len())]
    }

    fn queue_name(&mut self) -> QueueName {
        QueueName::new(self.one_of(&QUEUES))
    }

    async fn step(&mut self) -> TestResult {
        match self.random.u8(0..25) {
            0..6 => self.push().await,
            6..12 => self.claim().await,
            12..16 => self.settle().await,
            16..19 => self.advance().await,
            19 => self.set_limit().await,
            20 => self.declare().await,
            21 => self.operate().await,
            22 => self.import().await,
            23 => self.pause().await,
            _ => self.renew().await,
        }?;
        self.compare().await
    }

    fn job(&mut self) -> NewJob {
        let id = JobId::from_u128(self.ids.len() as u128 + 1);
        self.ids.push(id);
        let mut job =
            NewJob::from(work::new(1)).queue(self.queue_name()).id(id).max_attempts(self.random.u32(1..4));
        job.partition = Partition::new(self.one_of(&PARTITIONS));
        job.priority = self.random.i32(0..2);
        if self.random.u8(0..4) == 0 {
            job = job.delay(Duration::from_secs(self.random.u64(1..30)));
        }
        if self.random.u8(0..6) == 0 {
            job = job.unique(Unique::new(format!("{}", self.random.u8(0..3))).replace());
        }
        job
    }

    async fn push(&mut self) -> TestResult {
        let jobs: Vec<_> = (0..self.random.u8(1..5)).map(|_| self.job()).collect();
        let expected = self.table.push(self.now(), jobs.clone());
        let found = self.queue.push(jobs).await;
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        Ok(())
    }

    fn demand(&mut self) -> Demand {
        let mut demand = Demand::new(self.queue_name(), self.random.usize(1..6));
        if self.random.bool() {
            demand.queues = QUEUES.map(QueueName::new).into();
        }
        if self.random.bool() {
            demand = demand.startable(self.random.usize(1..4));
        }
        if self.random.bool() {
            demand = demand.worker(WorkerId::new("host/1/worker"));
        }
        demand.wait(Duration::ZERO).lease(Duration::from_secs(self.random.u64(1..40)))
    }

    async fn claim(&mut self) -> TestResult {
        let demand = self.demand();
        let expected = self.table.claim(self.now(), &demand);
        let found = self.queue.claim(&demand).await?;
        let view = |delivery: &Delivery| {
            let Delivery { lease, partition, attempt, queue, .. } = delivery;
            (lease.clone(), partition.clone(), *attempt, queue.clone())
        };
        assert_eq!(found.iter().map(view).collect::<Vec<_>>(), expected.iter().map(view).collect::<Vec<_>>());
        self.leases.extend(expected.into_iter().map(|delivery| delivery.lease));
        Ok(())
    }

    fn transition(&mut self) -> Transition {
        let at = self.now().saturating_add(Duration::from_secs(self.random.u64(0..20)));
        match self.random.u8(0..9) {
            0..3 => Transition::complete(),
            3 => Transition::Retry { at, error: "failed".into() },
            4 => Transition::Snooze { at, error: None },
            5 => Transition::Discard { error: "failed".into() },
            6 => Transition::Release,
            7 => Transition::Cancel { reason: "not needed".into() },
            _ => Transition::Throttle { at },
        }
    }

    async fn settle(&mut self) -> TestResult {
        let mut batch = Vec::new();
        for _ in 0..self.random.u8(1..4) {
            if self.leases.is_empty() {
                break;
            }
            let lease = self.leases.swap_remove(self.random.usize(..self.leases.len()));
            let mut settlement = Settlement::new(lease, self.transition());
            if self.random.u8(0..4) == 0 {
                settlement.followups.push(self.job());
            }
            batch.push(settlement);
        }
        let expected = self.table.settle(self.now(), batch.clone())?;
        assert_eq!(self.queue.settle(batch).await?, expected);
        Ok(())
    }

    async fn renew(&mut self) -> TestResult {
        let beats: Vec<_> = self.leases.iter().take(2).cloned().map(Heartbeat::new).collect();
        let expected = self.table.renew(self.now(), &beats);
        assert_eq!(self.queue.renew(&beats).await?, expected);
        Ok(())
    }

    async fn advance(&mut self) -> TestResult {
        self.clock.advance(Duration::from_millis(self.random.u64(0..12_000)));
        self.compare().await?;
        // Both promote due jobs and end expired leases at the same instant.
        let nothing = Demand::new("unused", 1).wait(Duration::ZERO);
        self.table.claim(self.now(), &nothing);
        self.queue.claim(&nothing).await?;
        Ok(())
    }

    fn limit(&mut self) -> Limit {
        let mut limit = Limit::weight(self.random.u32(1..4));
        if self.random.bool() {
            limit = limit.and_running(self.random.u32(0..4));
        }
        if self.random.u8(0..3) == 0 {
            let starts = self.random.u32(1..5);
            let per = Duration::from_nanos(self.random.u64(1_000..20_000_000_000));
            limit = limit.and_starts(starts, per).burst(self.random.u32(1..=starts));
        }
        limit
    }

    fn scope(&mut self) -> LimitScope {
        match self.random.u8(0..4) {
            0 => LimitScope::Total,
            1 => LimitScope::Each,
            _ => LimitScope::One(Partition::new(self.one_of(&PARTITIONS))),
        }
    }

    async fn set_limit(&mut self) -> TestResult {
        let (queue, scope) = (self.queue_name(), self.scope());
        let limit = self.random.bool().then(|| self.limit());
        self.table.set_limit(self.now(), &queue, &scope, limit)?;
        Ok(self.queue.set_limit(&queue, &scope, limit).await?)
    }

    async fn declare(&mut self) -> TestResult {
        let queue = self.queue_name();
        let mut limits = QueueLimits::none();
        for _ in 0..self.random.u8(0..3) {
            limits = limits.and(self.scope(), self.limit());
        }
        self.table.declare_limits(self.now(), &queue, &limits)?;
        Ok(self.queue.declare_limits(&queue, &limits).await?)
    }

    async fn operate(&mut self) -> TestResult {
        if self.ids.is_empty() {
            return Ok(());
        }
        let (now, id) = (self.now(), self.ids[self.random.usize(..self.ids.len())]);
        let (expected, found) = match self.random.u8(0..3) {
            0 => (
                format!("{:?}", self.table.cancel(now, id, "stop").map_err(|error| error.kind())),
                format!("{:?}", self.queue.cancel(id, "stop").await.map_err(|error| error.kind())),
            ),
            1 => (
                format!("{:?}", self.table.retry(now, id).map_err(|error| error.kind())),
                format!("{:?}", self.queue.retry(id).await.map_err(|error| error.kind())),
            ),
            _ => (
                format!("{:?}", self.table.delete(now, id).map_err(|error| error.kind())),
                format!("{:?}", self.queue.delete(id).await.map_err(|error| error.kind())),
            ),
        };
        assert_eq!(found, expected);
        Ok(())
    }

    async fn import(&mut self) -> TestResult {
        let job = self.job();
        let mut record = self.model_record(job);
        record.fence = Fence(3);
        let expected = self.table.import(self.now(), vec![record.clone()]);
        let found = self.queue.import(vec![record]).await;
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        Ok(())
    }

    /// Returns the record of a job as another store has it.
    fn model_record(&self, job: NewJob) -> JobRecord {
        let mut other = JobTable::new(TableConfig::default());
        let id = job.id.expect("a chosen id");
        other.push(self.now(), vec![job]).expect("a valid job");
        other.get(self.now(), id).expect("the job")
    }

    async fn pause(&mut self) -> TestResult {
        let queue = self.queue_name();
        if self.random.bool() {
            self.table.pause(&queue);
            return Ok(self.queue.pause(&queue).await?);
        }
        self.table.resume(&queue);
        Ok(self.queue.resume(&queue).await?)
    }

    /// Compares what operators see.
    async fn compare(&mut self) -> TestResult {
        let now = self.now();
        for queue in QUEUES {
            let partition = self.one_of(&PARTITIONS);
            for request in [UsageRequest::of(queue), UsageRequest::of(queue).partition(partition).limit(1)] {
                assert_eq!(self.queue.usage(&request).await?, self.table.usage(now, &request));
            }
            let queue = QueueName::new(queue);
            assert_eq!(self.queue.limits(&queue).await?, self.table.limits(&queue));
        }
        let counts = format!("{:?}", self.table.counts(now));
        assert_eq!(format!("{:?}", self.queue.counts().await?), counts);
        let summary = format!("{:?}", self.table.summary(now, QueueSummary::CAP));
        assert_eq!(format!("{:?}", self.queue.summary().await?), summary);
        let filter = Filter::all().partition(self.one_of(&PARTITIONS));
        let everything = PageRequest::first(1_000);
        let view = |jobs: &[JobRecord]| {
            jobs.iter().map(|job| (job.id, job.state, job.partition.clone())).collect::<Vec<_>>()
        };
        let expected = self.table.list(now, &filter, &everything)?;
        assert_eq!(view(&self.queue.list(&filter, &everything).await?.jobs), view(&expected.jobs));
        Ok(())
    }

    /// Checks that the stored counts are those of the rows.
    async fn check_store(&self) -> TestResult {
        let findings = self.queue.diagnose_store().await?;
        let broken: Vec<_> = findings.iter().filter(|finding| finding.check == Check::Integrity).collect();
        assert!(broken.is_empty(), "{broken:#?}");
        Ok(())
    }
}

/// Runs a random sequence.
async fn run(seed: u64) -> TestResult {
    let mut comparison = Comparison::new(seed).await?;
    for _ in 0..120 {
        comparison.step().await?;
    }
    comparison.check_store().await
}

/// `QUEUE_PARTITIONS_SEED` and `QUEUE_PARTITIONS_SEQUENCES` select others.
#[tokio::test]
async fn random_operations_on_partitions_answer_as_the_job_table_does() {
    let setting = |name| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let first = setting("QUEUE_PARTITIONS_SEED").unwrap_or(0);
    for seed in first..first + setting("QUEUE_PARTITIONS_SEQUENCES").unwrap_or(30) {
        let ran = tokio::spawn(run(seed)).await;
        assert!(matches!(ran, Ok(Ok(()))), "with the seed {seed}: {ran:?}");
    }
}
