//! Schedules: jobs that are enqueued by cron expressions or at intervals.
//!
//! ```
//! use queue_core::{Tick, background_job, jobs};
//! use queue_schedules::Schedules;
//! use queue_tokio::{Host, MemoryQueue, QueueService};
//!
//! #[background_job(cron = "0 2 * * *", zone = "Europe/Berlin")]
//! async fn nightly_report(#[inject] tick: &Tick) {
//!     println!("the report for {}", tick.at());
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), queue_core::BoxError> {
//! let queue = MemoryQueue::new();
//! let schedules = Schedules::new("shop", queue.clone()).jobs(jobs![nightly_report]);
//! let host = Host::builder()
//!     .service(QueueService::new(queue.clone(), jobs![nightly_report]))
//!     .service(schedules.clone())
//!     .build()?;
//!
//! let running = host.start().await?; // a server calls `host.run().await?`
//! let nightly = schedules.list().await?.remove(0);
//! assert_eq!(nightly.words(), "at 02:00 (Europe/Berlin)");
//! running.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A tick is a job
//!
//! A schedule is, at every moment, one small job: its *tick*. The tick waits in the queue until the next time of the schedule, and
//! its payload is the schedule itself. To perform a tick is to complete it with followups: the job to enqueue, and the next tick.
//! The queue stores followups together with the completion, or not at all. Therefore:
//!
//! - Each tick enqueues its job once, however many processes run the schedule and wherever they crash.
//! - There is no leader. Any process of the group performs the tick that is due. If none runs, the tick waits in the queue, and the
//!   first process to return performs it: see [`CatchUp`](queue_core::CatchUp).
//! - Only the clock of the queue decides when a tick is due.
//!
//! `docs/schedules.md` says what happens at a change of the clock, after an outage, and when schedules change.

mod cron;
mod cursor;
mod due;
mod job_template;
mod record;
mod schedules;
mod stored;
mod tick_job;
mod timetable;
mod zone;

pub use cron::Cron;
pub use cursor::ScheduleCursor;
pub use due::SkippedTicks;
pub use queue_cron::{CronError, CronField};
pub use record::{SchedulePage, ScheduleRecord, TickRun};
pub use schedules::Schedules;

/// Compiles and runs the programs of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/schedules.md")]
struct Guide;
