//! A limit that is changed while a thousand jobs of other processes run (D37).
//!
//! This program is the operator. It declares and sets the limit, and reads the usage. Two processes do on command what workers do
//! (`commanded.rs`): both hold jobs, and one has a claim that waits. No step waits for time to pass. Whether a job starts that must not
//! is seen by the next claim, by the usage, and by the number of jobs that the waiting claim returns.

use std::time::Duration;

use queue_core::admin::UsageRequest;
use queue_core::{Admin, Limit, LimitScope, Partition, QueueLimits, QueueName};

use super::commanded::Command;
use super::harness::StoreHarness;
use super::limits::has_limits;
use super::process::{Process, Role};
use crate::conformance::jobs::job;
use crate::law::expect_eq;

/// The number of jobs, and how many of them the first limit allows to run.
const JOBS: u32 = 1_500;
const RUNNING: u32 = 1_000;

/// More jobs than there are.
const ALL: usize = 2_000;

/// Longer than the law.
const FOREVER: Duration = Duration::from_secs(3600);

pub(super) async fn d37_a_limit_that_another_process_changes_binds_at_once(harness: &StoreHarness) {
    let queue = harness.open().await;
    if !has_limits(harness, &*queue).await {
        return;
    }
    let partition = LimitScope::One(Partition::new("acme"));
    for (name, scope) in [("of_the_queue", LimitScope::Total), ("of_a_partition", partition)] {
        let operator = Operator { harness, queue: &*queue, name: QueueName::new(name), scope };
        operator.changes_the_limit().await;
    }
}

/// This program, which changes the limit of one scope.
struct Operator<'a> {
    harness: &'a StoreHarness,
    queue: &'a dyn Admin,
    name: QueueName,
    scope: LimitScope,
}

impl Operator<'_> {
    async fn changes_the_limit(&self) {
        let limits = QueueLimits::none().and(self.scope.clone(), Limit::running(RUNNING));
        let declare = self.queue.declare_limits(&self.name, &limits);
        self.harness.steps().ok("`declare_limits`", declare).await;
        let jobs = (0..JOBS).map(|number| job(number).queue(&self.name).partition("acme"));
        self.harness.push(self.queue, jobs.collect()).await;
        let [mut waiter, mut holder] = [(); 2].map(|()| Worker::start(self.harness, &self.name));
        expect_eq!(waiter.claim(100).await, 100, "the jobs that start below the limit");
        expect_eq!(holder.claim(ALL).await, 900, "the jobs that start up to the limit");
        self.sees(RUNNING, 500).await;

        self.lowers(&mut waiter, &mut holder).await;
        self.raises(&mut waiter).await;
        self.pauses_and_resumes(&mut waiter, &mut holder).await;

        for worker in [waiter, holder] {
            let step = "the end of a process whose input has ended";
            self.harness.steps().finishes(step, worker.process.stop()).await;
        }
    }

    /// Sets the limit below the number of running jobs, which then end one by one.
    async fn lowers(&self, waiter: &mut Worker<'_>, holder: &mut Worker<'_>) {
        self.sets(Some(Limit::running(300))).await;
        self.lets_nothing_start(holder).await;
        holder.settle(600).await;
        self.lets_nothing_start(holder).await;
        self.sees(400, 500).await;
        waiter.begin_claim();
        holder.settle(100).await;
        self.lets_nothing_start(holder).await;
        self.sees(300, 500).await;
        holder.settle(1).await;
        expect_eq!(
            waiter.claimed().await,
            1,
            "the jobs that start once fewer run than the lower limit allows"
        );
        self.sees(300, 499).await;
    }

    async fn raises(&self, waiter: &mut Worker<'_>) {
        waiter.begin_claim();
        self.sets(Some(Limit::running(350))).await;
        expect_eq!(waiter.claimed().await, 50, "the jobs that start by the higher limit alone");
        self.sees(350, 449).await;
    }

    /// Sets a limit of 0, and takes it back when no job runs any more.
    async fn pauses_and_resumes(&self, waiter: &mut Worker<'_>, holder: &mut Worker<'_>) {
        self.sets(Some(Limit::running(0))).await;
        waiter.begin_claim();
        holder.settle(199).await;
        self.lets_nothing_start(holder).await;
        waiter.settle(151).await;
        self.lets_nothing_start(holder).await;
        self.sees(0, 449).await;
        self.sets(None).await;
        expect_eq!(
            waiter.claimed().await,
            449,
            "the jobs that start once the declared limit is in force again"
        );
        self.sees(449, 0).await;
        waiter.settle(449).await;
        self.sees(0, 0).await;
    }

    async fn sets(&self, limit: Option<Limit>) {
        let set = self.queue.set_limit(&self.name, &self.scope, limit);
        self.harness.steps().ok(format!("`set_limit` of {} to {limit:?}", self.scope), set).await;
    }

    /// Checks that a claim of another process starts no job.
    async fn lets_nothing_start(&self, worker: &mut Worker<'_>) {
        let started = worker.claim(ALL).await;
        assert!(started == 0, "no job may start above the limit of {}, and {started} did", self.scope);
    }

    /// Checks the numbers of running and of ready jobs, of the queue and of the partition.
    async fn sees(&self, running: u32, ready: u32) {
        let request = UsageRequest::of(&self.name);
        let usage = self.harness.steps().ok("`usage`", self.queue.usage(&request)).await;
        let numbers = (u64::from(running), u64::from(ready));
        let found = (usage.total.running, usage.total.ready);
        expect_eq!(found, numbers, "the running and the ready jobs of the queue");
        let listed = usage.partitions.first().map(|listed| (listed.usage.running, listed.usage.ready));
        expect_eq!(listed.unwrap_or_default(), numbers, "the running and the ready jobs of the partition");
    }
}

/// A process that claims and settles on command.
struct Worker<'a> {
    harness: &'a StoreHarness,
    process: Process,
    queue: QueueName,
}

impl<'a> Worker<'a> {
    fn start(harness: &'a StoreHarness, queue: &QueueName) -> Self {
        Self { harness, process: harness.start(Role::Commanded), queue: queue.clone() }
    }

    /// Claims up to `max` jobs, without waiting. Returns their number.
    async fn claim(&mut self, max: usize) -> u32 {
        self.process.tell(&Command::Claim { queue: self.queue.clone(), max, wait: Duration::ZERO });
        self.claimed().await
    }

    /// Begins a claim that waits until jobs may start.
    fn begin_claim(&mut self) {
        self.process.tell(&Command::Claim { queue: self.queue.clone(), max: ALL, wait: FOREVER });
    }

    /// Waits for the end of a claim. Returns the number of its jobs.
    async fn claimed(&mut self) -> u32 {
        self.report("claimed ").await
    }

    /// Completes this number of the jobs that the process holds.
    async fn settle(&mut self, jobs: u32) {
        self.process.tell(&Command::Settle(jobs as usize));
        expect_eq!(self.report("settled ").await, jobs, "the settlements that are applied");
    }

    /// Waits for the next report, which must begin with a word. Returns its number.
    async fn report(&mut self, word: &str) -> u32 {
        let step = format!("waiting for the report `{word}<jobs>` of a process");
        let said = self.harness.steps().finishes(step, self.process.next_report()).await;
        let jobs = said.as_deref().and_then(|said| said.strip_prefix(word)?.parse().ok());
        jobs.unwrap_or_else(|| panic!("a process must report `{word}<jobs>`, and reported {said:?}"))
    }
}
