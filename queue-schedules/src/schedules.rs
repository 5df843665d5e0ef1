//! The schedules of a group: the declaration, and the handle.

mod apply;
mod declared;
mod hosted;
mod list;
mod operate;
mod recent;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use queue_core::{Admin, CatchUp, IntoJob, Jobs, NewJob, Observer, Overlap, QueueName, Recurrence, jobs};
use queue_tokio::QueueService;

use crate::stored::StoredSchedule;
use crate::tick_job::tick;

use declared::{Declared, check_group, check_name};

/// The schedules of a group, and the service that performs their ticks. Clones are handles on the same group.
///
/// A group belongs to one program, of which any number of processes may run. When a process starts, it stores the schedules that the
/// program declares, changes those that are declared differently now, and retires those that the program does not declare any more.
/// Other groups are left alone.
///
/// ```
/// use queue_core::{background_job, jobs};
/// use queue_schedules::{Cron, Schedules};
/// use queue_tokio::MemoryQueue;
/// use std::time::Duration;
///
/// #[background_job]
/// async fn build(year: u32, month: u32) {}
///
/// #[background_job]
/// async fn remind(customer: u64) {}
///
/// #[background_job(every = "15m")]
/// async fn sync() {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), queue_core::BoxError> {
/// let queue = MemoryQueue::new();
/// let schedules = Schedules::new("billing", queue.clone())
///     .jobs(jobs![sync])
///     .cron("nightly", "0 2 * * *", build::new(2026, 7)).zone("Europe/Berlin");
/// // The program passes `schedules.clone()` to the `service` of its host.
///
/// // At run time:
/// schedules.put("customer-42", Cron::parse("0 9 * * MON-FRI")?, remind::new(42)).await?;
/// schedules.pause("customer-42").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Schedules {
    group: Arc<str>,
    name: Arc<str>,
    queue: Arc<dyn Admin>,
    declared: Vec<Declared>,
    revision: u64,
    /// The mistakes in the declaration itself.
    mistakes: Vec<String>,
    observers: Vec<Arc<dyn Observer>>,
    /// Whether the start could not store the schedules.
    is_late: bool,
}

impl Schedules {
    /// The length of the leases of ticks. A process that dies while it performs a tick delays the tick by this time at most.
    pub const LEASE: Duration = Duration::from_secs(5);

    /// Creates a group without schedules. The name of a group has up to 100 characters of `[A-Za-z0-9_.-]`.
    pub fn new(group: impl Into<String>, queue: impl Admin) -> Self {
        let group: String = group.into();
        Self {
            name: format!("schedules {group}").into(),
            group: group.into(),
            queue: Arc::new(queue),
            declared: Vec::new(),
            revision: 0,
            mistakes: Vec::new(),
            observers: Vec::new(),
            is_late: false,
        }
    }

    /// Declares a schedule for each of these jobs whose attribute has `cron` or `every`. It has the name of its job.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "`jobs(jobs![report])` reads as in the other builders")]
    pub fn jobs(mut self, jobs: Jobs) -> Self {
        self.declared.extend(jobs.recurring().into_iter().map(Declared::of_job));
        self
    }

    /// Declares a schedule by a cron expression, in UTC unless [`zone`](Self::zone) follows: `cron("nightly", "0 2 * * *", job)`.
    #[must_use]
    pub fn cron(self, name: impl Into<String>, expression: impl Into<String>, job: impl IntoJob) -> Self {
        self.schedule(name, Recurrence::cron(expression.into()), job)
    }

    /// Declares a schedule at the multiples of an interval since the Unix epoch.
    #[must_use]
    pub fn every(self, name: impl Into<String>, interval: Duration, job: impl IntoJob) -> Self {
        self.schedule(name, Recurrence::every(interval), job)
    }

    /// Declares a schedule.
    #[must_use]
    pub fn schedule(
        mut self,
        name: impl Into<String>,
        recurrence: impl Into<Recurrence>,
        job: impl IntoJob,
    ) -> Self {
        let job: NewJob = job.into_job();
        self.declared.push(Declared { name: name.into(), recurrence: recurrence.into(), job: Ok(job) });
        self
    }

    /// Sets the time zone of the schedule that was declared last, by its IANA name.
    #[must_use]
    pub fn zone(self, name: impl Into<String>) -> Self {
        self.change("zone", |recurrence| recurrence.zone(name.into()))
    }

    /// Sets the phase of the interval that was declared last: see [`Recurrence::phase`].
    #[must_use]
    pub fn phase(self, phase: Duration) -> Self {
        self.change("phase", |recurrence| recurrence.phase(phase))
    }

    /// Sets what a tick of the schedule that was declared last does while an earlier job of the schedule is unfinished.
    #[must_use]
    pub fn overlap(self, overlap: Overlap) -> Self {
        self.change("overlap", |recurrence| recurrence.overlap(overlap))
    }

    /// Sets what becomes of late ticks of the schedule that was declared last.
    #[must_use]
    pub fn catch_up(self, catch_up: CatchUp) -> Self {
        self.change("catch_up", |recurrence| recurrence.catch_up(catch_up))
    }

    /// Sets how late a tick of the schedule that was declared last may be at most.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        self.change("within", |recurrence| recurrence.within(limit))
    }

    /// Sets the revision of the declaration; 0 by default.
    ///
    /// While a deploy replaces the processes of the program one by one, both versions start processes. A process does not change what
    /// one with a greater revision has stored. Among equal revisions, the process that starts last decides.
    #[must_use]
    pub fn revision(mut self, revision: u64) -> Self {
        self.revision = revision;
        self
    }

    /// Adds an observer, which receives the events of the service, such as
    /// [`Event::TicksSkipped`](queue_core::Event::TicksSkipped).
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Returns the kinds of job that the service performs, for a test kit: `TestKit::new(jobs![report].and(Schedules::ticks()))`.
    #[must_use]
    pub fn ticks() -> Jobs {
        jobs![tick, turn::turn]
    }

    /// Returns the queues in which the ticks of the group wait.
    #[must_use]
    pub fn tick_queues(&self) -> Vec<QueueName> {
        [true, false].map(|is_declared| StoredSchedule::queue_of(&self.group, is_declared)).into()
    }

    fn group(&self) -> &str {
        &self.group
    }

    /// Creates the service that performs the ticks of the group.
    fn ticking(&self) -> QueueService {
        let service = QueueService::new(self.queue.clone(), Self::ticks())
            .named(&*self.name)
            .queues(self.tick_queues())
            .lease(Self::LEASE);
        self.observers.iter().cloned().fold(service, QueueService::observe)
    }

    fn change(mut self, setter: &str, change: impl FnOnce(Recurrence) -> Recurrence) -> Self {
        match self.declared.last_mut() {
            Some(last) => last.recurrence = change(last.recurrence.clone()),
            None => self.mistakes.push(format!("`{setter}` follows no schedule: declare one before it")),
        }
        self
    }
}

impl fmt::Debug for Schedules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.declared.iter().map(|declared| &declared.name).collect();
        f.debug_struct("Schedules")
            .field("group", &self.group)
            .field("declared", &names)
            .finish_non_exhaustive()
    }
}
