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
//! let queue = SqliteQueue::open(path).await?; // in place of `MemoryQueue::new()`
//! let receipt = queue.enqueue(send_welcome::new(42)).await?; // the job is on disk when this returns
//! # let job = queue.get(receipt.id()).await?.unwrap();
//! # assert_eq!(job.state, State::Available);
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! One thread, the **writer**, owns the only connection that writes. Calls that arrive during a commit (pushes, claims,
//! renewals, settlements) share the next transaction, because a commit to disk costs about a hundred times as much as a
//! job in it. A single caller never waits for other callers. A second thread, the **reader**, serves
//! [`Admin`](queue_core::Admin) and never waits for the writer. (In memory, it waits while the writer commits.)
//!
//! `sql.rs` has each statement with its query plan; `table/claim.rs` shows how a claim uses them.
//!
//! # The files
//!
//! SQLite keeps two files beside `jobs.db`: `jobs.db-wal`, the log to which commits are written first, and `jobs.db-shm`,
//! memory that the processes share. Both belong to the database. Don't delete them. To make a copy, use SQLite's `.backup`
//! or `vacuum into`; otherwise copy the three files together. They may remain after the last process ends, and the next
//! process continues with them.
//!
//! The file must be on a local disk. A new file is readable by its owner only. SQLite reuses the space of removed jobs and
//! does not shrink the file; `vacuum` does.
//!
//! Don't move, remove or replace the files while a program has them open. On Unix, the queue checks for that before each
//! answer, and refuses every call as `Unavailable` until the files are back or the queue is opened again. It can't detect
//! that an open file is overwritten (`cp backup.db jobs.db`), which corrupts the file: stop all programs first, or restore
//! with SQLite's `.restore`.
//!
//! # Several processes
//!
//! Any number of processes may share the file. Each job goes to one of them. A waiting claim finds jobs that other
//! processes pushed within the [poll interval](SqliteQueueBuilder::poll_interval): the writer polls SQLite's
//! `data_version`, a number in shared memory that changes with every commit of another connection. It reads nothing else
//! while that number stays the same.
//!
//! All processes use the clock of the machine. Due times, which include those set by
//! [`delay`](queue_core::NewJob::delay), and the ends of leases are times by that clock:
//!
//! - If the clock is set back by an hour, jobs that were scheduled before, and jobs of workers that died before, are
//!   delayed by an hour. Ready jobs, new jobs and running workers are not affected, except that jobs pushed after the step
//!   come before those pushed in the hour before it.
//! - If the clock is set forward by an hour, jobs that are due by the new time run at once, and workers that have not
//!   renewed their leases since lose them.
//!
//! A waiting claim notices such a step within 30 s. Keep the clock right with a service that slews it, as time services
//! do by default.
//!
//! Each process must open the queue itself. A forked process does not have the threads of the queue that its parent
//! opened, so every call on that queue returns an error there.
//!
//! # In your own database
//!
//! The names of all tables begin with `queue_`, so the jobs may be in the application's own file. Then
//! [`enqueue_in`](SqliteQueue::enqueue_in) pushes in the application's own transaction, and a job can commit its writes
//! together with its completion: see [`SqliteUnitOfWork`].
//!
//! The view `queue_overview` shows jobs to operators, with their states, times, last errors and payloads as text.
//! `sqlite3 jobs.db .schema` prints every table with a comment for each column.
//!
//! # From SQL
//!
//! Programs in other languages and triggers store jobs by inserts into the view `queue_enqueue`, which have the checks of a
//! push:
//!
//! ```sql
//! create trigger order_placed after insert on orders begin
//!     insert into queue_enqueue (name, payload, queue) values ('send_invoice', json_object('order', new.id), 'mail');
//! end;
//! ```
//!
//! The comments of the view list its columns: `sqlite3 jobs.db '.schema queue_enqueue'`.

mod admin;
mod builder;
mod clock;
mod connection;
mod diagnosis;
mod error;
mod files;
mod history;
mod joined_thread;
mod limits;
mod list;
mod location;
mod migrations;
mod process;
mod queue;
mod reader;
mod rows;
mod settings;
mod sql;
mod sql_authorizer;
mod summary;
mod table;
mod transaction;
mod unit_meta;
mod unit_of_work;
mod usage;
mod workers;
mod writer;

pub use builder::SqliteQueueBuilder;
pub use queue::SqliteQueue;
pub use rusqlite;
pub use settings::Synchronous;
pub use unit_of_work::SqliteUnitOfWork;
