//! A queue and a job table that get the same calls.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

use queue_core::admin::{Change, Filter, UsageRequest};
use queue_core::table::{JobTable, Retention, TableConfig};
use queue_core::{
    Admin as _, BoxError, Delivery, Demand, Heartbeat, JobId, JobRecord, Lease, Limit, LimitScope, NewJob,
    Queue as _, QueueLimits, QueueName, Receipt, Settlement, Timestamp, Transition, Unique,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};

use crate::fixture::{TestResult, number, schema, url, without_pruning, work};

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// The queue under test, the job table, and the jobs by the number in their payload.
pub(super) struct Both {
    pub(super) random: fastrand::Rng,
    pub(super) now: Timestamp,
    pub(super) log: Vec<String>,
    table: JobTable,
    queue: PostgresQueue,
    schema: String,
    /// The ids of each job in the table and in the queue.
    ids: Vec<(JobId, JobId)>,
    numbers: HashMap<JobId, usize>,
    /// The last lease of each job in the table and in the queue.
    leases: Vec<(Lease, Lease)>,
    paused: [bool; 2],
}

impl Both {
    pub(super) async fn new(seed: u64) -> Result<Self, BoxError> {
        let schema = schema();
        let queue = without_pruning(&schema).test_clock(START).connect().await?;
        let mut config = TableConfig::default();
        config.retention = Retention::everything();
        Ok(Self {
            random: fastrand::Rng::with_seed(seed),
            now: START,
            log: Vec::new(),
            table: JobTable::new(config),
            queue,
            schema,
            ids: Vec::new(),
            numbers: HashMap::new(),
            leases: Vec::new(),
            paused: [false; 2],
        })
    }

    fn note(&mut self, what: &str) {
        self.log.push(format!("{}: {what}", self.now.as_micros() - START.as_micros()));
    }

    fn partition(&mut self, partitions: &[&str]) -> String {
        partitions[self.random.usize(0..partitions.len())].to_owned()
    }

    fn job(&mut self, queue: &str, partitions: &[&str]) -> NewJob {
        let mut job = NewJob::from(work::new(0)).queue(queue).priority(self.random.i32(0..3));
        job = job.max_attempts(self.random.u32(1..4));
        // Before a queue has partitions, it is a plain one for a while.
        if self.ids.len() > 10 {
            job = job.partition(self.partition(partitions));
        }
        if self.random.u8(0..3) == 0 {
            job = job.delay(Duration::from_micros(self.random.u64(0..50)));
        }
        job
    }

    fn jobs(&mut self, queue: &str, partitions: &[&str]) -> Vec<NewJob> {
        let mut jobs = Vec::new();
        for _ in 0..self.random.u8(1..5) {
            let job = self.job(queue, partitions);
            let job = match self.random.u8(0..8) {
                0 => job.unique(Unique::new(format!("key {}", self.random.u8(0..4))).replace()),
                _ => job,
            };
            jobs.push(job);
        }
        jobs
    }

    pub(super) async fn push(&mut self, queue: &str, partitions: &[&str]) -> TestResult {
        let jobs = self.jobs(queue, partitions);
        let shown: Vec<_> =
            jobs.iter().map(|job| (job.partition.clone(), job.priority, job.schedule)).collect();
        self.note(&format!("push {} to {queue}: {shown:?}", self.ids.len()));
        let expected = self.table.push(self.now, jobs.clone())?;
        let receipts = self.queue.push(jobs).await?;
        for (expected, receipt) in expected.into_iter().zip(receipts) {
            match (expected, receipt) {
                (Receipt::Stored(model), Receipt::Stored(id)) => self.know(model, id),
                (expected, receipt) => {
                    same("receipt", &self.number(expected.id()), &self.number(receipt.id()))?;
                }
            }
        }
        Ok(())
    }

    fn know(&mut self, model: JobId, id: JobId) {
        let number = self.ids.len();
        self.ids.push((model, id));
        self.numbers.extend([(model, number), (id, number)]);
    }

    fn number(&self, id: JobId) -> usize {
        self.numbers.get(&id).copied().unwrap_or(usize::MAX)
    }

    pub(super) async fn claim(&mut self, queues: &[&str]) -> TestResult {
        let mut queues: Vec<QueueName> = queues.iter().map(|queue| (*queue).into()).collect();
        self.random.shuffle(&mut queues);
        queues.truncate(self.random.usize(1..=queues.len()));
        let mut demand = Demand::of(queues, self.random.usize(1..9)).wait(Duration::ZERO);
        demand = demand.lease(Duration::from_micros(self.random.u64(5..80)));
        if self.random.bool() {
            demand = demand.startable(self.random.usize(1..5));
        }
        let expected = self.table.claim(self.now, &demand);
        let deliveries = self.queue.claim(&demand).await?;
        self.learn(&expected, &deliveries);
        let shown = |deliveries: &[Delivery]| -> Vec<_> {
            let shown = |job: &Delivery| {
                (self.number(job.id()), job.queue.clone(), job.partition.clone(), job.attempt, job.run_at)
            };
            deliveries.iter().map(shown).collect()
        };
        let (expected_shown, found) = (shown(&expected), shown(&deliveries));
        self.note(&format!("claim {demand:?}\n    {expected_shown:?}\n    {found:?}"));
        same("deliveries", &expected_shown, &found)?;
        self.leases.extend(expected.into_iter().zip(deliveries).map(|(a, b)| (a.lease, b.lease)));
        Ok(())
    }

    /// Followups and jobs of an unknown number are known once they are delivered.
    fn learn(&mut self, expected: &[Delivery], deliveries: &[Delivery]) {
        for (expected, delivery) in expected.iter().zip(deliveries) {
            if !self.numbers.contains_key(&expected.id()) && !self.numbers.contains_key(&delivery.id()) {
                self.know(expected.id(), delivery.id());
            }
        }
    }

    pub(super) async fn settle(
        &mut self,
        partitions: &[&str],
        transition: fn(&mut Self) -> Transition,
    ) -> TestResult {
        let (mut expected, mut settlements) = (Vec::new(), Vec::new());
        for _ in 0..self.random.u8(1..5) {
            if self.leases.is_empty() {
                break;
            }
            let (model, lease) = self.leases.swap_remove(self.random.usize(0..self.leases.len()));
            let transition = transition(self);
            self.note(&format!("settle {} {transition:?}", self.number(model.job)));
            let followups = match self.random.u8(0..4) {
                0 => vec![self.job("one", partitions), self.job("two", partitions)],
                _ => Vec::new(),
            };
            expected.push(Settlement::new(model, transition.clone()).followups(followups.clone()));
            settlements.push(Settlement::new(lease, transition).followups(followups));
        }
        if settlements.is_empty() {
            return Ok(());
        }
        same("settled", &self.table.settle(self.now, expected)?, &self.queue.settle(settlements).await?)
    }

    pub(super) async fn renew(&mut self) -> TestResult {
        let Some((model, lease)) = self.leases.first().cloned() else { return Ok(()) };
        let expected = self.table.renew(self.now, &Heartbeat::of([&model]));
        same("renewals", &expected, &self.queue.renew(&Heartbeat::of([&lease])).await?)
    }

    pub(super) async fn advance(&mut self) -> TestResult {
        self.now = self.now.saturating_add(Duration::from_micros(self.random.u64(0..30)));
        let clock = self.queue.test_clock().ok_or("a test clock")?;
        clock.advance_to(self.now).await?;
        Ok(())
    }

    pub(super) async fn set_limit(
        &mut self,
        queue: &str,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> TestResult {
        self.note(&format!("set {queue} {scope}: {limit:?}"));
        let queue = QueueName::from(queue);
        self.table.set_limit(self.now, &queue, scope, limit)?;
        self.queue.set_limit(&queue, scope, limit).await?;
        same("limits", &self.table.limits(&queue), &self.queue.limits(&queue).await?)
    }

    pub(super) async fn declare_limits(&mut self, queue: &str, limits: &QueueLimits) -> TestResult {
        self.note(&format!("declare {queue} {limits:?}"));
        let queue = QueueName::from(queue);
        self.table.declare_limits(self.now, &queue, limits)?;
        self.queue.declare_limits(&queue, limits).await?;
        same("limits", &self.table.limits(&queue), &self.queue.limits(&queue).await?)
    }

    /// Cancels, retries or deletes a job.
    pub(super) async fn change_one(&mut self) -> TestResult {
        if self.ids.is_empty() {
            return Ok(());
        }
        let number = self.random.usize(0..self.ids.len());
        let (model, id) = self.ids[number];
        let what = self.random.u8(0..3);
        self.note(&format!("{} {number}", ["cancel", "retry", "delete"][what as usize]));
        match what {
            0 => same(
                "cancellation",
                &self.table.cancel(self.now, model, "no").ok(),
                &self.queue.cancel(id, "no").await.ok(),
            ),
            1 => {
                same("retry", &self.table.retry(self.now, model).is_ok(), &self.queue.retry(id).await.is_ok())
            }
            _ => same(
                "delete",
                &self.table.delete(self.now, model).is_ok(),
                &self.queue.delete(id).await.is_ok(),
            ),
        }
    }

    /// Cancels, retries or deletes the jobs of a partition.
    pub(super) async fn change_many(&mut self, queue: &str, partitions: &[&str]) -> TestResult {
        let filter = Filter::all().queue(queue).partition(self.partition(partitions));
        let (models, ids) = (self.table.matching(self.now, &filter), self.queue.matching(&filter).await?);
        same("number of matches", &models.len(), &ids.len())?;
        for (model, id) in models.iter().zip(&ids) {
            if !self.numbers.contains_key(model) {
                self.know(*model, *id);
            }
            same("match", &self.number(*model), &self.number(*id))?;
        }
        let change = match self.random.u8(0..3) {
            0 => Change::Cancel { reason: "no".into() },
            1 => Change::Retry,
            _ => Change::Delete,
        };
        let numbers: Vec<_> = models.iter().map(|id| self.number(*id)).collect();
        self.note(&format!("{change:?} {numbers:?}"));
        let expected = self.table.change(self.now, &models, &filter, &change);
        same("changed", &expected, &self.queue.change(&ids, &filter, &change).await?)
    }

    pub(super) async fn pause_or_resume(&mut self, queue: &str) -> TestResult {
        let paused = &mut self.paused[usize::from(queue == "two")];
        *paused = !*paused;
        let (is_paused, name) = (*paused, QueueName::from(queue));
        self.note(&format!("{queue} is paused: {is_paused}"));
        if is_paused {
            self.table.pause(&name);
            self.queue.pause(&name).await?;
        } else {
            self.table.resume(&name);
            self.queue.resume(&name).await?;
        }
        Ok(())
    }

    pub(super) async fn import(&mut self, queue: &str, partitions: &[&str]) -> TestResult {
        let mut record = JobRecord::new(JobId::random(), "work".into(), work_body()?);
        record.queue = queue.into();
        record.partition = self.partition(partitions).into();
        record.run_at = self.now.saturating_add(Duration::from_micros(self.random.u64(0..20)));
        self.note(&format!("import {} to {queue} {}", self.ids.len(), record.partition));
        self.know(record.id, record.id);
        let expected = self.table.import(self.now, vec![record.clone()])?;
        same("imported", &expected, &self.queue.import(vec![record]).await?)
    }

    pub(super) async fn compare_usage(&mut self, queues: &[&str]) -> TestResult {
        for queue in queues {
            let request = UsageRequest::of(*queue);
            let expected = self.table.usage(self.now, &request);
            same("usage", &expected, &self.queue.usage(&request).await?)?;
        }
        Ok(())
    }

    /// Asserts that the rows of the schema keep the rules, and that each job has its partition.
    pub(super) async fn check_rows(&mut self) -> TestResult {
        let mut connection = PgConnection::connect(&url()).await?;
        let broken = format!("select count(*) from {}.check_integrity()", self.schema);
        same("broken rules", &0, &number(&mut connection, broken).await?)?;
        for (model, id) in self.ids.clone() {
            let expected = self.table.get(self.now, model).map(|job| (job.partition, job.state, job.attempt));
            let found = self.queue.get(id).await?.map(|job| (job.partition, job.state, job.attempt));
            same("job", &expected, &found)?;
        }
        Ok(())
    }
}

fn work_body() -> Result<queue_core::Body, BoxError> {
    Ok(NewJob::from(work::new(0)).body)
}

/// Returns an error if the table and the queue differ.
fn same<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> TestResult {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}\n expected {expected:?}\n found    {found:?}").into())
}
