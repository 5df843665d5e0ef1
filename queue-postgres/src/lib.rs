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
//! // In place of `MemoryQueue::new()`; nothing else changes.
//! let queue = PostgresQueue::connect("postgres://me:secret@localhost/shop").await?;
//! queue.enqueue(send_welcome::new(42)).await?; // it's committed when this returns
//! # Ok(())
//! # }
//! ```
//!
//! PostgreSQL 13 or later. For TLS, turn on the feature `rustls`, and say `?sslmode=verify-full` in the URL.
//!
//! # How it works
//!
//! A thread with a small runtime of its own does all I/O. Pushes that arrive while a statement is under way share the next
//! one, and its commit; so do settlements, and claims. What a job is, is written once; where it is on its
//! way is a narrow row in one of four tables, which each step moves: see `migrations/0001_tables.sql`. So a claim costs the
//! same however many have finished or are scheduled.
//!
//! Whoever pushes tells the others by `NOTIFY`, at its commit and at most every 20 ms. Where that isn't heard, because the
//! connection broke or a pooler is on the way, claims look for jobs at the
//! [poll interval](PostgresQueueBuilder::poll_interval), and a warning says so once. When a job becomes due is known
//! without looking.
//!
//! All time is the server's. A server that is restarted, fails over or breaks off is connected to anew; the hosted loop goes
//! on by itself, and a push that was in doubt is sent again under the same identities.
//!
//! A connection can also die without being closed, as when a firewall forgets it. Then the server is asked over another
//! connection whether it still works on the statement; if it doesn't, the connection is replaced, and a warning says so once.
//! Renewals use another connection after a sixth of the lease, so that no lease is lost.
//!
//! # In your own transactions
//!
//! [`enqueue_in`](PostgresQueue::enqueue_in) pushes in the application's own transaction, and a job can have its writes
//! committed together with its completion: see [`PostgresUnitOfWork`].
//!
//! # Who may do what
//!
//! Connecting makes the schema `queue`, which takes the right to create one. Where the application's user is to have no
//! more than it needs, have another run [`PostgresQueue::migrate`], or the files of `migrations` and `functions` by hand,
//! and grant:
//!
//! ```sql
#![doc = include_str!("../migrations/grants.sql")]
//! ```
//!
//! # Operators
//!
//! The view `queue.overview` shows jobs with their states, timestamps and last errors; `PostgresQueue` is an
//! [`Admin`](queue_core::Admin) for the rest. Tables that are emptied as fast as they are filled are set to be vacuumed
//! early, and finished jobs are deleted after a day, or [as long as you say](PostgresQueueBuilder::keep_completed).
//!
//! # Long transactions
//!
//! A claim walks over the entries of jobs that have gone, until vacuum has removed them; and while a transaction is open
//! for long anywhere in the server, vacuum removes nothing. To keep claims fast meanwhile, most scans start where the last
//! one ended; a full scan runs at least every 250 ms, or as often as a full scan takes, if that is longer. Until the next
//! full scan, a job of a higher priority, or one that becomes due, may wait. Order is exact again once vacuum has caught up.
//! Tables grow meanwhile: keep transactions short, or read from a standby what takes long.
//!
//! # Poolers
//!
//! With PgBouncer or the like in transaction mode, say so: [`transaction_pooler`](PostgresQueueBuilder::transaction_pooler).

mod admin;
mod batch;
mod blocked;
mod claiming;
mod company;
mod config;
mod error;
mod hearing;
mod io;
mod link;
mod listening;
mod migrations;
mod place;
mod pruning;
mod pulse;
mod pushing;
mod queue;
mod renewing;
mod rows;
mod server;
mod settlements;
mod settling;
mod sql;
mod transaction;
mod unit_connection;
mod unit_of_work;

pub use config::PostgresQueueBuilder;
pub use queue::PostgresQueue;
pub use sqlx;
pub use transaction::InTransaction;
pub use unit_of_work::PostgresUnitOfWork;
