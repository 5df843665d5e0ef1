//! A job queue in PostgreSQL: shared by any number of machines, and transactional with your own writes.
//!
//! ```no_run
//! use queue_core::{QueueExt as _, background_job};
//! use queue_postgres::PostgresQueue;
//!
//! #[background_job]
//! async fn send_welcome(user_id: u64) {}
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), queue_core::QueueError> {
//! // In place of `MemoryQueue::new()`.
//! let queue = PostgresQueue::connect("postgres://me:secret@localhost/shop").await?;
//! queue.enqueue(send_welcome::new(42)).await?; // it's committed when this returns
//! # Ok(())
//! # }
//! ```
//!
//! PostgreSQL 13 or later. For TLS, turn on the feature `rustls`, and add `?sslmode=verify-full` to the URL.
//!
//! # How it works
//!
//! A thread with its own small runtime does the I/O. Pushes that arrive while a statement runs share the next statement
//! and its commit; so do settlements, and claims. A lone push skips the thread, and uses a connection of the caller's
//! runtime. A job's data is a row that most steps do not touch. Its progress is a
//! narrow row in one of four tables, which each step moves to another table: see `migrations/0001_tables.sql`. So the
//! cost of a claim doesn't depend on the number of finished or scheduled jobs.
//!
//! A push notifies other processes by `NOTIFY`, at its commit and at most every 20 ms. If notifications don't arrive,
//! because the connection broke or a pooler is in between, claims poll at the [poll
//! interval](PostgresQueueBuilder::poll_interval), and the queue logs one warning. A job that becomes due is claimed
//! without a poll.
//!
//! All times are the server's. If the server is restarted, fails over or closes connections, the queue connects again;
//! the hosted loop continues by itself, and a push with an unknown outcome is sent again with the same ids.
//!
//! A connection can also die without being closed, as when a firewall forgets it. The queue then asks the server over
//! another connection whether it still works on the statement; if it doesn't, the queue replaces the connection and logs
//! one warning. Renewals use another connection after a sixth of the lease, so that no lease is lost.
//!
//! # In your own transactions
//!
//! [`enqueue_in`](PostgresQueue::enqueue_in) pushes in the application's own transaction, and a job can have its writes
//! committed together with its completion: see [`PostgresUnitOfWork`].
//!
//! # From SQL
//!
//! Programs in other languages and triggers store jobs by the function `enqueue`, which has the checks of a push. The commit
//! wakes workers:
//!
//! ```sql
//! create function order_placed() returns trigger language plpgsql as $$
//! begin
//!     perform queue.enqueue('send_invoice', jsonb_build_object('order', new.id), queue => 'mail');
//!     return null;
//! end $$;
//! ```
//!
//! `docs/schema-postgres.md` lists its arguments: `run_at`, `priority`, `unique_key` and others.
//!
//! # Privileges
//!
//! Connecting creates the schema `queue`, which requires the right to create a schema. If the application's user must
//! have no more rights than it needs, run [`PostgresQueueBuilder::migrate`] as another user, or run the files of
//! `migrations` and `functions` by hand, and grant:
//!
//! ```sql
#![doc = include_str!("../migrations/grants.sql")]
//! ```
//!
//! # Operators
//!
//! The view `queue.overview` shows jobs with their states, timestamps and last errors; for everything else
//! `PostgresQueue` is an [`Admin`](queue_core::Admin). The tables that are emptied as fast as they are filled are set to
//! be vacuumed early. Finished jobs are deleted after a day, discarded ones after seven, or [as
//! configured](PostgresQueueBuilder::keep_completed).
//!
//! # Long transactions
//!
//! Each claimed job leaves a dead index entry, which a scan steps over until vacuum removes it; while a transaction
//! stays open in the database, vacuum removes none. To keep claims fast meanwhile, most scans start where the last one
//! ended; a full scan runs at least every 250 ms, or as often as a full scan takes, if that is longer. Until the next
//! full scan, a job of a higher priority, or one that becomes due, may wait. Order is exact again once vacuum has
//! caught up. Tables grow meanwhile: keep transactions short, or run long reads on a standby.
//!
//! # Poolers
//!
//! With PgBouncer or a similar pooler in transaction mode, set
//! [`transaction_pooler`](PostgresQueueBuilder::transaction_pooler).

mod admin;
mod bulk;
mod clock_table;
mod columns;
mod config;
mod connect;
mod connection;
mod dead_connection_warning;
mod dead_rows;
mod diagnosis;
mod end_watches;
mod ended;
mod error;
mod history;
mod import;
mod limits;
mod list;
mod listener_health;
mod liveness;
mod locked_keys;
mod migrations;
mod notification;
mod notifier;
mod pool;
mod push_traffic;
mod queue;
mod requests;
mod rows;
mod runtime_thread;
mod settings;
mod shared;
mod source;
mod sql;
mod storable;
mod summary;
mod target;
mod tasks;
mod test_clock;
mod transaction;
mod unit_of_work;
mod workers;

pub use config::PostgresQueueBuilder;
pub use queue::PostgresQueue;
pub use source::Source;
pub use sqlx;
pub use transaction::InTransaction;
pub use unit_of_work::PostgresUnitOfWork;
