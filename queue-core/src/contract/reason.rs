//! The reasons why a job is not running now.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::announcement::WorkerRecord;
use crate::contract::clock::Timestamp;
use crate::contract::filter::Filter;
use crate::contract::id::JobId;
use crate::contract::limit::LimitScope;
use crate::contract::name::{JobName, QueueName};
use crate::contract::record::{JobRecord, State};
use crate::contract::summary::{Count, QueueSummary};
use crate::contract::usage::{QueueUsage, Usage};
use crate::contract::worker_id::WorkerId;

/// A reason why a job is not running now, or the worker that runs it: see [`Admin::explain`](crate::Admin::explain).
///
/// It displays as a sentence, with a remedy if there is one.
///
/// ```
/// use queue_core::admin::Reason;
///
/// let reason = Reason::Paused { queue: "mail".into() };
///
/// assert_eq!(reason.to_string(), "the queue `mail` is paused: call `resume(\"mail\")`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The job has finished.
    #[non_exhaustive]
    Finished {
        /// The job.
        job: JobId,
        /// Completed, discarded or cancelled.
        state: State,
        /// When it finished.
        at: Option<Timestamp>,
        /// The last error of a discarded job, or the reason of a cancellation.
        detail: Option<String>,
    },
    /// The job is running.
    #[non_exhaustive]
    Executing {
        /// The worker that holds the lease, if its claim named one.
        worker: Option<WorkerId>,
        /// When the attempt started.
        since: Option<Timestamp>,
        /// When the lease expires unless it is renewed.
        until: Option<Timestamp>,
    },
    /// The worker that holds the job's lease has vanished: the job is probably not running.
    #[non_exhaustive]
    WorkerVanished {
        /// The worker.
        worker: WorkerId,
        /// When it last announced itself.
        seen_at: Timestamp,
        /// When the lease expires.
        until: Option<Timestamp>,
    },
    /// The cancellation of the running job was requested, and its worker has not ended it yet.
    #[non_exhaustive]
    CancelRequested {
        /// The reason of the cancellation.
        detail: String,
    },
    /// The job is scheduled for a later time.
    #[non_exhaustive]
    Scheduled {
        /// The job.
        job: JobId,
        /// The time.
        until: Timestamp,
    },
    /// The job has failed and waits for its next attempt.
    #[non_exhaustive]
    Retrying {
        /// The job.
        job: JobId,
        /// The number of attempts so far.
        attempt: u32,
        /// The maximum number of attempts.
        max_attempts: u32,
        /// When the next attempt is due.
        until: Timestamp,
        /// The last error.
        error: Option<String>,
    },
    /// The queue is paused.
    Paused {
        /// The queue.
        queue: QueueName,
    },
    /// No worker that has announced itself claims from the queue.
    #[non_exhaustive]
    Unserved {
        /// The queue.
        queue: QueueName,
        /// When a worker of the queue last announced itself. `None` if none did within the last hour.
        seen_at: Option<Timestamp>,
        /// The queues that running workers serve.
        served: Vec<QueueName>,
    },
    /// No running worker of the queue knows the job's name.
    #[non_exhaustive]
    UnknownName {
        /// The name.
        name: JobName,
        /// The queue.
        queue: QueueName,
        /// The workers of the queue.
        workers: Vec<WorkerId>,
    },
    /// As many jobs run as a limit allows.
    #[non_exhaustive]
    AtLimit {
        /// The queue.
        queue: QueueName,
        /// The queue as a whole, or the job's partition.
        scope: LimitScope,
        /// The number of running jobs.
        running: u64,
        /// The number that the limit allows.
        allowed: u32,
        /// The workers that run them; not all of them if there are many.
        workers: Vec<WorkerId>,
    },
    /// The next job may not start yet: a limit on starts forbids it, or a job has asked for a pause by
    /// [`JobError::throttle`](crate::JobError::throttle).
    #[non_exhaustive]
    RateLimited {
        /// The queue.
        queue: QueueName,
        /// The queue as a whole, or the job's partition.
        scope: LimitScope,
        /// When the next job may start.
        until: Timestamp,
    },
    /// Nothing prevents the job from running: a free worker of the queue takes it, after the jobs that come before it.
    #[non_exhaustive]
    Waiting {
        /// The queue.
        queue: QueueName,
        /// When the job became ready.
        since: Timestamp,
        /// The number of ready jobs in the queue, this one included.
        ready: Count,
    },
}

impl Reason {
    /// Returns all reasons that are true of a job. `summary` is that of its queue; `workers` are those of [`Admin::workers`](crate::Admin::workers), or
    /// `None` if the queue does not store them.
    #[must_use]
    pub fn of(
        job: &JobRecord,
        summary: Option<&QueueSummary>,
        workers: Option<&[WorkerRecord]>,
    ) -> Vec<Self> {
        match job.state {
            State::Completed | State::Discarded | State::Cancelled => vec![Self::finished(job)],
            State::Executing => Self::of_executing(job, workers.unwrap_or_default()),
            State::Scheduled | State::Available | State::Retryable => Self::of_waiting(job, summary, workers),
        }
    }

    /// Of how many running jobs [`explain`](crate::Admin::explain) reads the workers.
    pub(crate) const MOST_HOLDERS: usize = 10;

    /// Adds the reasons of [`Admin::limits_that_hold`](crate::Admin::limits_that_hold). They exclude that the job waits for a free
    /// worker only.
    #[must_use]
    pub fn with_limits(mut reasons: Vec<Self>, limits: Vec<Self>) -> Vec<Self> {
        if !limits.is_empty() {
            reasons.retain(|reason| !matches!(reason, Self::Waiting { .. }));
        }
        reasons.extend(limits);
        reasons
    }

    /// Returns the reasons by which the limits of a queue and of its one listed partition let no job start.
    #[must_use]
    pub(crate) fn of_usage(usage: &QueueUsage) -> Vec<Self> {
        let total = (LimitScope::Total, &usage.total);
        let listed =
            usage.partitions.iter().map(|listed| (LimitScope::One(listed.partition.clone()), &listed.usage));
        [total]
            .into_iter()
            .chain(listed)
            .flat_map(|(scope, used)| Self::of_scope(&usage.queue, &scope, used))
            .collect()
    }

    fn of_scope(queue: &QueueName, scope: &LimitScope, usage: &Usage) -> Vec<Self> {
        let full = usage.limit.running.filter(|_| usage.is_full()).map(|allowed| Self::AtLimit {
            queue: queue.clone(),
            scope: scope.clone(),
            running: usage.running,
            allowed,
            workers: Vec::new(),
        });
        let early = usage.next_start.map(|until| Self::RateLimited {
            queue: queue.clone(),
            scope: scope.clone(),
            until,
        });
        full.into_iter().chain(early).collect()
    }

    /// Returns the filter that matches the jobs which use up a limit.
    #[must_use]
    pub(crate) fn filter_of_holders(&self) -> Option<Filter> {
        let Self::AtLimit { queue, scope, running: 1.., .. } = self else { return None };
        let filter = Filter::all().queue(queue).state(State::Executing);
        Some(if let LimitScope::One(partition) = scope { filter.partition(partition) } else { filter })
    }

    /// Sets the workers of these running jobs.
    pub(crate) fn add_holders(&mut self, jobs: Vec<JobRecord>) {
        if let Self::AtLimit { workers, .. } = self {
            workers.extend(jobs.into_iter().filter_map(|job| job.claimed_by));
            workers.sort();
            workers.dedup();
        }
    }

    fn finished(job: &JobRecord) -> Self {
        let detail = match job.state {
            State::Discarded => job.errors.last().map(|error| error.message.clone()),
            State::Cancelled => job.cancel_reason.clone(),
            _ => None,
        };
        Self::Finished { job: job.id, state: job.state, at: job.finished_at, detail }
    }

    fn of_executing(job: &JobRecord, workers: &[WorkerRecord]) -> Vec<Self> {
        let (worker, until) = (job.claimed_by.clone(), job.lease_expires_at);
        let gone = workers.iter().find(|record| Some(&record.worker) == worker.as_ref() && !record.is_live);
        let gone = gone.map(|gone| Self::WorkerVanished {
            worker: gone.worker.clone(),
            seen_at: gone.seen_at,
            until,
        });
        let cancel = job.cancel_reason.clone().map(|detail| Self::CancelRequested { detail });
        let executing = Self::Executing { worker, since: job.claimed_at, until };
        [executing].into_iter().chain(gone).chain(cancel).collect()
    }

    fn of_waiting(
        job: &JobRecord,
        summary: Option<&QueueSummary>,
        workers: Option<&[WorkerRecord]>,
    ) -> Vec<Self> {
        let mut reasons = Vec::new();
        match job.state {
            State::Scheduled => reasons.push(Self::Scheduled { job: job.id, until: job.run_at }),
            State::Retryable => reasons.push(Self::Retrying {
                job: job.id,
                attempt: job.attempt,
                max_attempts: job.max_attempts,
                until: job.run_at,
                error: job.errors.last().map(|error| error.message.clone()),
            }),
            _ => {}
        }
        if summary.is_some_and(|summary| summary.paused) {
            reasons.push(Self::Paused { queue: job.queue.clone() });
        }
        reasons.extend(workers.and_then(|workers| Self::of_workers(job, workers)));
        if reasons.is_empty() {
            let ready = summary.map(|summary| summary.of(State::Available)).unwrap_or_default();
            reasons.push(Self::Waiting { queue: job.queue.clone(), since: job.run_at, ready });
        }
        reasons
    }

    /// Returns the reason why no running worker can take the job, or `None` if one can.
    fn of_workers(job: &JobRecord, workers: &[WorkerRecord]) -> Option<Self> {
        let serving: Vec<_> =
            workers.iter().filter(|worker| worker.is_live && worker.serves(&job.queue)).collect();
        if serving.is_empty() {
            let of_queue = workers.iter().filter(|worker| worker.serves(&job.queue));
            let live = workers.iter().filter(|worker| worker.is_live);
            let mut served: Vec<_> = live.flat_map(|worker| worker.queues.iter().cloned()).collect();
            served.sort();
            served.dedup();
            let seen_at = of_queue.map(|worker| worker.seen_at).max();
            return Some(Self::Unserved { queue: job.queue.clone(), seen_at, served });
        }
        // A worker that names no job may know any.
        let knows = |worker: &&WorkerRecord| worker.jobs.is_empty() || worker.jobs.contains(&job.name);
        let is_known = serving.iter().any(knows);
        let workers = || serving.iter().map(|worker| worker.worker.clone()).collect();
        (!is_known).then(|| Self::UnknownName {
            name: job.name.clone(),
            queue: job.queue.clone(),
            workers: workers(),
        })
    }

    /// Returns the remedy: what an operator can do about it. Returns `None` if there is nothing to do.
    #[must_use]
    pub fn cure(&self) -> Option<String> {
        match self {
            Self::Finished { job, .. } => Some(format!("to run it again, call `retry({job})`")),
            Self::Scheduled { job, .. } | Self::Retrying { job, .. } => {
                Some(format!("to run it now, call `retry({job})`"))
            }
            Self::Paused { queue } => Some(format!("call `resume(\"{queue}\")`")),
            Self::Unserved { queue, .. } => Some(format!(
                "start a service with `.queues([\"{queue}\", …])`, or delete the job and enqueue it in another queue"
            )),
            Self::UnknownName { name, .. } => Some(format!(
                "deploy a program whose `jobs![…]` has a job with the name or alias `{name}`, or delete the job"
            )),
            Self::WorkerVanished { .. } => {
                Some("wait for the end of the lease, or start the worker again".to_owned())
            }
            Self::AtLimit { queue, scope, allowed: 0, .. } => Some(format!(
                "the limit is 0: call `set_limit(\"{queue}\", …)` with a greater one for {scope}, or take it back"
            )),
            Self::AtLimit { .. } | Self::RateLimited { .. } => None,
            Self::Executing { .. } | Self::CancelRequested { .. } | Self::Waiting { .. } => None,
        }
    }

    fn write_sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished { state, at, detail, .. } => {
                write!(f, "it is {state}{}", Since(*at))?;
                detail.iter().try_for_each(|detail| write!(f, " (\"{detail}\")"))
            }
            Self::Executing { worker, since, until } => {
                let worker = worker.as_ref().map_or("a worker without a name", WorkerId::as_str);
                write!(f, "{worker} runs it{}, under a lease", Since(*since))?;
                until.iter().try_for_each(|until| write!(f, " until {until}"))
            }
            Self::WorkerVanished { worker, seen_at, until } => {
                write!(f, "{worker} was last seen at {seen_at} and has vanished")?;
                until.iter().try_for_each(|until| write!(f, "; its lease ends at {until}"))
            }
            Self::CancelRequested { detail } => write!(f, "its cancellation was requested (\"{detail}\")"),
            Self::Scheduled { until, .. } => write!(f, "it is scheduled for {until}"),
            Self::Retrying { attempt, max_attempts, until, error, .. } => {
                write!(f, "attempt {attempt} of {max_attempts} failed, and the next one is due at {until}")?;
                error.iter().try_for_each(|error| write!(f, " (\"{error}\")"))
            }
            Self::Paused { queue } => write!(f, "the queue `{queue}` is paused"),
            Self::Unserved { queue, seen_at, served } => write_unserved(f, queue, *seen_at, served),
            Self::UnknownName { name, queue, workers } => {
                let workers = Quoted(workers.iter().map(WorkerId::as_str));
                write!(f, "no running worker of the queue `{queue}` ({workers}) knows jobs named `{name}`")
            }
            Self::AtLimit { queue, scope, running, allowed, workers } => {
                write!(f, "{} is at its limit: {running} of {allowed} running", PartOfQueue(queue, scope))?;
                if workers.is_empty() {
                    return Ok(());
                }
                write!(f, ", held by {}", Quoted(workers.iter().map(WorkerId::as_str)))
            }
            Self::RateLimited { queue, scope, until } => {
                write!(f, "the rate of {} allows the next start at {until}", PartOfQueue(queue, scope))
            }
            Self::Waiting { queue, since, ready } => {
                write!(
                    f,
                    "it has been ready since {since}, is one of {ready} ready jobs in the queue `{queue}`, and waits for a free worker"
                )
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_sentence(f)?;
        self.cure().iter().try_for_each(|cure| write!(f, ": {cure}"))
    }
}

fn write_unserved(
    f: &mut fmt::Formatter<'_>,
    queue: &QueueName,
    seen_at: Option<Timestamp>,
    served: &[QueueName],
) -> fmt::Result {
    write!(f, "no running worker serves the queue `{queue}`")?;
    seen_at.iter().try_for_each(|at| write!(f, ", the last one was seen at {at}"))?;
    if served.is_empty() {
        return f.write_str(", and no worker is running");
    }
    write!(f, "; running workers serve only {}", Quoted(served.iter().map(QueueName::as_str)))
}

/// A queue, or a part of it, in words.
struct PartOfQueue<'a>(&'a QueueName, &'a LimitScope);

impl fmt::Display for PartOfQueue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(queue, scope) = self;
        match scope {
            LimitScope::Total => write!(f, "the queue `{queue}`"),
            LimitScope::One(partition) if !partition.is_none() => {
                write!(f, "partition `{partition}` of the queue `{queue}`")
            }
            scope => write!(f, "{scope} of the queue `{queue}`"),
        }
    }
}

struct Since(Option<Timestamp>);

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|at| write!(f, " since {at}"))
    }
}

/// Names in backticks, with commas between them.
struct Quoted<I>(I);

impl<'a, I: Iterator<Item = &'a str> + Clone> fmt::Display for Quoted<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.clone().enumerate().try_for_each(|(number, name)| {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}`{name}`")
        })
    }
}
