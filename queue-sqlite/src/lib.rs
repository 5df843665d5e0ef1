//! A job queue in an SQLite file: jobs survive the process, and there is no server to run.
//!
//! ```
//! use queue_core::{Admin as _, QueueExt as _, State, background_job};
//! use queue_sqlite::SqliteQueue;
//!
//! #[background_job]
//! async fn send_welcome(user_id: u64) {}
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), queue_core::QueueError> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("jobs.db");
//! let queue = SqliteQueue::open(path).await?; // in place of `MemoryQueue::new()`; nothing else changes
//! let receipt = queue.enqueue(send_welcome::new(42)).await?; // it's on disk when this returns
//! # let job = queue.get(receipt.id()).await?.unwrap();
//! # assert_eq!(job.state, State::Available);
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! One thread, the **writer**, has the only connection that writes. What arrives while a transaction is on its way to
//! disk (pushes, claims, renewals, settlements) shares the next one: a commit to disk costs a hundred times what a job in
//! it costs. A call that is alone waits for no company. A second thread reads, for [`Admin`](queue_core::Admin), and
//! never waits for the writer (in memory, for the moment of its commit).
//!
//! How a claim works can be read in `sql.rs`, with the plan of each statement, and in `table/claim.rs`.
//!
//! # The files
//!
//! Beside `jobs.db` there are `jobs.db-wal`, where commits go first, and `jobs.db-shm`, which the processes that have the
//! file open share. Both belong to the database: don't delete them, and copy the three together or, better, use SQLite's
//! `.backup` or `vacuum into`. They may stay when the last process ends, and are taken up by the next. The file must be on a local disk.
//! It's made readable by its owner alone. Space of jobs that are gone is used again, so the file stays as large as it
//! was when there was most in it; `vacuum` makes it smaller.
//!
//! Don't move, remove or replace the files while a program has them open. On Unix an open queue looks for that before each
//! answer, and refuses everything as `Unavailable` until the files are back or the queue is opened anew. What is copied
//! *into* an open file (`cp backup.db jobs.db`) can't be noticed, and corrupts it: stop all programs first, or restore
//! with SQLite's `.restore`.
//!
//! # Several processes
//!
//! Any number may share the file. A job goes to one of them. Those whose claims wait see what others have pushed within
//! the [poll interval](SqliteQueueBuilder::poll_interval): they look at SQLite's `data_version`, a number in shared
//! memory that changes with every commit of others, and read nothing else while it stays the same.
//! They go by one clock, the machine's. When a job is due and when a lease ends are instants by it, also for
//! [`delay`](queue_core::NewJob::delay). So a clock that is set back by an hour delays by an hour what was scheduled
//! before, and the jobs of workers that died before; jobs that are ready or new, and workers that live, go on, and what is
//! pushed after the step comes before what was pushed in the hour before it. A clock that is set forward by an hour runs
//! at once what is due by then, and takes jobs from workers that have not renewed since. Whoever waits notices a step
//! within 30 s. Keep the clock right with a service that slews it, as all do by default.
//!
//! A process must open the queue itself: one that was forked from a process that had opened it has none of its threads,
//! and every call is answered with an error.
//!
//! # In your own database
//!
//! All tables begin with `queue_`, so the jobs may live in the application's own file. Then
//! [`enqueue_in`](SqliteQueue::enqueue_in) pushes in the application's own transaction, and a job can have its writes
//! committed together with its completion: see [`SqliteUnitOfWork`].

mod admin;
mod clock;
mod config;
mod connection;
mod error;
mod files;
mod guard;
mod joined_thread;
mod location;
mod migrations;
mod process;
mod queue;
mod reader;
mod rows;
mod sql;
mod table;
mod transaction;
mod unit_of_work;
mod writer;

pub use config::{SqliteQueueBuilder, Synchronous};
pub use queue::SqliteQueue;
pub use rusqlite;
pub use unit_of_work::SqliteUnitOfWork;
