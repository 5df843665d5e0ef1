//! Generates random calls, each from one number and from the ids and leases seen so far.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use queue_core::admin::{AttemptError, Change, Filter, Order, PageRequest, Prune, Sort, UsageRequest};
use queue_core::{
    Announcement, Fence, Heartbeat, JobId, JobProgress, JobRecord, Lease, Limit, LimitScope, NewJob,
    OnDiscard, QueueLimits, QueueName, Settlement, State, StoredResult, Timestamp, Transition, Unique,
};

use super::super::jobs::{id, json};
use super::limits;

pub(super) const QUEUES: [&str; 3] = ["a", "b", "c"];
const NAMES: [&str; 2] = ["work", "play"];
const WORKERS: [&str; 3] = ["host/1/a", "host/1/b", "host/2/a"];
/// The name and the queue of the jobs that are stored on a discard. No call claims them: each queue chooses their ids.
pub(super) const ON_DISCARD_JOB: &str = "on_discard_job";
const KEYS: [&str; 4] = ["k0", "k1", "k2", "k3"];

/// The longest window of a unique key. Jobs are pruned only when they are older, because the contract leaves open whether a
/// window outlives its job.
const LONGEST_WINDOW: u64 = 20;

#[derive(Clone, Debug)]
pub(super) enum Call {
    Push(Vec<NewJob>),
    Claim(queue_core::Demand),
    Renew(Vec<Heartbeat>),
    Settle(Vec<Settlement>),
    Advance(Duration),
    Get(JobId),
    List(Filter, PageRequest),
    Bulk(Filter, Change),
    Cancel(JobId),
    Retry(JobId),
    Delete(JobId),
    Pause(QueueName),
    Resume(QueueName),
    Prune(Prune),
    Announce(Announcement),
    Import(Vec<JobRecord>),
    Declare(QueueName, QueueLimits),
    SetLimit(QueueName, LimitScope, Option<Limit>),
    Usage(UsageRequest),
}

/// Generates calls, and remembers the ids and leases that later calls may use.
#[derive(Debug, Default)]
pub(super) struct Generator {
    pub(super) now: Timestamp,
    /// Every id that was pushed.
    pub(super) ids: Vec<JobId>,
    /// Every lease that was delivered.
    pub(super) leases: Vec<Lease>,
    /// Ids that were deleted or pruned. The contract leaves open what happens if one is pushed again.
    pub(super) gone: Vec<JobId>,
    /// Whether the queue has partitions and limits. Otherwise no call uses them.
    pub(super) has_limits: bool,
    minted: u32,
}

impl Generator {
    /// Returns the call that a number selects.
    pub(super) fn call(&mut self, number: u64) -> Call {
        let mut random = Rng::with_seed(number);
        match random.u32(0..100) {
            0..22 => Call::Push(self.jobs(&mut random, 4)),
            22..23 => Call::Import(self.imports(&mut random)),
            23..24 => Call::Announce(announcement(&mut random)),
            24..46 => Call::Claim(demand(&mut random)),
            46..66 => {
                let batch = (0..random.usize(1..4)).filter_map(|_| self.settlement(&mut random));
                Call::Settle(batch.collect())
            }
            66..67 => Call::Declare(queue(&mut random), limits::declared(&mut random)),
            67..69 => {
                let limit = (random.u32(0..3) > 0).then(|| limits::limit(&mut random));
                Call::SetLimit(queue(&mut random), limits::scope(&mut random), limit)
            }
            69..70 => {
                let queue = queue(&mut random);
                Call::Usage(limits::usage(&mut random, queue))
            }
            70..73 => {
                Call::Renew((0..random.usize(1..4)).filter_map(|_| self.heartbeat(&mut random)).collect())
            }
            73..82 => Call::Advance(Duration::from_millis(pick(
                &mut random,
                [1, 500, 1_000, 5_000, 7_000, 20_000, 90_000],
            ))),
            82..85 => Call::Get(self.id(&mut random)),
            85..87 => Call::List(self.filter(&mut random), page(&mut random)),
            87..90 => Call::Cancel(self.id(&mut random)),
            90..93 => Call::Retry(self.id(&mut random)),
            93..95 => Call::Delete(self.id(&mut random)),
            95..96 => Call::Pause(queue(&mut random)),
            96..98 => Call::Resume(queue(&mut random)),
            98..99 => Call::Bulk(self.filter(&mut random), change(&mut random)),
            _ => Call::Prune(prune(&mut random)),
        }
    }

    fn heartbeat(&self, random: &mut Rng) -> Option<Heartbeat> {
        let heartbeat = Heartbeat::new(self.lease(random)?);
        // Drawn from a copy, so that the seed's further calls do not depend on the progress.
        let mut aside = random.clone();
        let progress = aside.bool().then(|| JobProgress::new(aside.u8(..), format!("step {}", aside.u8(..))));
        Some(heartbeat.progress(progress))
    }

    fn jobs(&mut self, random: &mut Rng, most: usize) -> Vec<NewJob> {
        (0..random.usize(0..=most)).map(|_| self.job(random)).collect()
    }

    fn job(&mut self, random: &mut Rng) -> NewJob {
        let number = random.u8(..);
        let body = json(&format!("{{\"n\":{number}}}"));
        let mut job = NewJob::new(pick(random, NAMES), body).id(self.new_id(random));
        job = job.queue(queue(random)).priority(random.i32(-2..=2)).max_attempts(random.u32(1..=4));
        job = match random.u32(0..8) {
            0..2 => job.delay(Duration::from_millis(random.u64(0..30_000))),
            2 => job.at(self.around_now(random)),
            _ => job,
        };
        if random.u32(0..4) == 0 {
            job = job.unique(unique(random));
        }
        // Drawn from a copy, so that the seed's further calls do not depend on the partition.
        let partition = limits::partition(&mut random.clone(), &job.queue);
        if self.has_limits {
            job = job.partition(partition);
        }
        if random.u32(0..8) == 0 {
            job = job.meta("number", number.to_string());
        }
        if random.u32(0..5) == 0 {
            job.on_discard = Some(Arc::new(OnDiscard::named(ON_DISCARD_JOB, "job", 3).queue(ON_DISCARD_JOB)));
        }
        // Sometimes a job that no queue may accept.
        if random.u32(0..100) == 0 { job.max_attempts(0) } else { job }
    }

    /// Returns jobs of another store.
    fn imports(&mut self, random: &mut Rng) -> Vec<JobRecord> {
        (0..random.usize(1..4)).map(|_| self.import(random)).collect()
    }

    fn import(&mut self, random: &mut Rng) -> JobRecord {
        let new = self.job(random);
        let ago = |random: &mut Rng| self.now.saturating_sub(Duration::from_millis(random.u64(0..100_000)));
        let mut record = JobRecord::new(new.id.unwrap_or(id(u32::MAX)), new.name, new.body);
        (record.queue, record.priority, record.max_attempts) = (new.queue, new.priority, new.max_attempts);
        record.partition = new.partition;
        (record.meta, record.on_discard) = (new.meta, new.on_discard);
        record.state = pick(random, [State::Scheduled, State::Available, State::Retryable]);
        (record.pushed_at, record.run_at) = (ago(random), self.around_now(random));
        record.attempt = random.u32(0..5);
        record.fence = Fence(u64::from(record.attempt) + random.u64(0..3));
        record.claimed_at = random.bool().then(|| ago(random));
        let error = |random: &mut Rng| AttemptError::new(random.u32(1..5), ago(random), "elsewhere");
        record.errors = (0..random.usize(0..3)).map(|_| error(random)).collect();
        if let Some(unique) = new.unique {
            let until = record.pushed_at.saturating_add(unique.window.unwrap_or_default());
            (record.unique, record.unique_until) = (Some(unique.key), random.bool().then_some(until));
        }
        record
    }

    /// Usually returns a new id, sometimes one that is stored.
    fn new_id(&mut self, random: &mut Rng) -> JobId {
        let known = self.id(random);
        if random.u32(0..12) == 0 && self.ids.contains(&known) && !self.gone.contains(&known) {
            return known;
        }
        self.minted += 1;
        let id = id(self.minted);
        self.ids.push(id);
        id
    }

    /// Returns an id that was pushed, usually a late one; sometimes one that never was.
    fn id(&self, random: &mut Rng) -> JobId {
        late(random, &self.ids).copied().unwrap_or(id(u32::MAX))
    }

    fn lease(&self, random: &mut Rng) -> Option<Lease> {
        late(random, &self.leases).cloned()
    }

    fn settlement(&mut self, random: &mut Rng) -> Option<Settlement> {
        let lease = self.lease(random)?;
        let at = self.around_now(random);
        let transition = match random.u32(0..10) {
            0..3 => completion(random),
            3..5 => Transition::Retry { at, error: format!("error {}", random.u8(..)) },
            5..6 if self.has_limits && random.clone().u32(0..3) == 0 => Transition::Throttle { at },
            5..6 => {
                let error = random.bool().then(|| format!("unknown {}", random.u8(..)));
                Transition::Snooze { at, error }
            }
            6..7 => Transition::Discard { error: "never".into() },
            7..8 => Transition::Cancel { reason: "given up".into() },
            _ => Transition::Release,
        };
        let mut settlement = Settlement::new(lease, transition);
        if random.u32(0..4) == 0 {
            settlement.followups = self.jobs(random, 2);
        }
        Some(settlement)
    }

    fn filter(&self, random: &mut Rng) -> Filter {
        let mut filter = Filter::all();
        if random.bool() {
            filter = filter.queue(queue(random));
        }
        for _ in 0..random.usize(0..3) {
            filter = filter.state(pick(random, State::ALL));
        }
        if random.u32(0..3) == 0 {
            filter = filter.name(pick(random, NAMES));
        }
        let past = self.now.saturating_sub(Duration::from_secs(random.u64(0..30)));
        match random.u32(0..12) {
            0..3 => filter.pushed_before(past),
            3 => filter.pushed_since(past),
            4 => filter.finished_before(past),
            5 => filter.finished_since(past),
            6 => filter.unique(pick(random, KEYS)),
            7 => filter.id(self.id(random)),
            8 => filter.meta("number", random.u8(..).to_string()),
            9 if self.has_limits => filter.partition(limits::partition(random, &"any".into())),
            _ => filter,
        }
    }

    fn around_now(&self, random: &mut Rng) -> Timestamp {
        self.now
            .saturating_sub(Duration::from_secs(5))
            .saturating_add(Duration::from_millis(random.u64(0..35_000)))
    }
}

/// Returns a completion, sometimes with a result. It is drawn from a copy, so that the seed's further calls do not depend on it.
fn completion(random: &Rng) -> Transition {
    let mut aside = random.clone();
    match aside.u32(0..3) {
        0 => Transition::complete_with(StoredResult::stored(aside.u8(..).to_string())),
        _ => Transition::complete(),
    }
}

fn pick<T: Copy, const N: usize>(random: &mut Rng, choice: [T; N]) -> T {
    choice[random.usize(0..N)]
}

/// Returns one of the last few elements, or any.
fn late<'a, T>(random: &mut Rng, all: &'a [T]) -> Option<&'a T> {
    let from = if random.bool() { all.len().saturating_sub(8) } else { 0 };
    let choice = all.get(from..)?;
    if choice.is_empty() { None } else { choice.get(random.usize(0..choice.len())) }
}

fn queue(random: &mut Rng) -> QueueName {
    QueueName::from_static(pick(random, QUEUES))
}

fn demand(random: &mut Rng) -> queue_core::Demand {
    let queues: Vec<_> = (0..random.usize(1..=3)).map(|_| queue(random)).collect();
    let lease = Duration::from_secs(pick(random, [2, 10, 60]));
    let mut demand = queue_core::Demand::of(queues, random.usize(1..5)).lease(lease).wait(Duration::ZERO);
    demand.worker = (random.u32(0..4) > 0).then(|| pick(random, WORKERS).into());
    demand.startable = random.bool().then(|| random.usize(1..4));
    demand
}

fn announcement(random: &mut Rng) -> Announcement {
    let mut announcement = Announcement::new(pick(random, WORKERS).into());
    announcement.queues = vec![queue(random), queue(random)];
    announcement.jobs = (0..random.usize(0..2)).map(|_| pick(random, NAMES).into()).collect();
    announcement.running = random.u32(0..9);
    announcement.up_for = Duration::from_secs(random.u64(0..100));
    announcement.valid_for = Duration::from_secs(pick(random, [0, 5, 60, 600]));
    announcement
}

fn unique(random: &mut Rng) -> Unique {
    let mut unique = Unique::new(pick(random, KEYS));
    if random.u32(0..3) == 0 {
        unique = unique.within(Duration::from_secs(random.u64(1..=LONGEST_WINDOW)));
    }
    if random.bool() { unique.replace() } else { unique }
}

fn change(random: &mut Rng) -> Change {
    match random.u32(0..3) {
        0 => Change::Cancel { reason: "stop them".into() },
        1 => Change::Retry,
        _ => Change::Delete,
    }
}

/// Returns the request for the first page of any list.
fn page(random: &mut Rng) -> PageRequest {
    let sort = pick(random, [Sort::Pushed, Sort::Finished, Sort::RunAt]);
    let page = PageRequest::first(random.usize(1..9)).sort(sort);
    let page = page.order(pick(random, [Order::Oldest, Order::Newest]));
    if random.bool() { page.search(random.u64(0..9)) } else { page }
}

/// Sets no limit: the contract leaves open which of several jobs that finished at one instant are pruned first.
fn prune(random: &mut Rng) -> Prune {
    let mut age = || random.bool().then(|| Duration::from_secs(random.u64(LONGEST_WINDOW..120)));
    let mut prune = Prune::nothing();
    (prune.completed, prune.discarded, prune.cancelled) = (age(), age(), age());
    prune
}
