//! A board of background jobs for operators.
//!
//! [`Board::router`] is an axum router with all pages. An application nests it under any path, as a service:
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use queue_board::{Access, Board};
//! use queue_tokio::MemoryQueue;
//!
//! let queue = Arc::new(MemoryQueue::new());
//! let board = Board::new(queue).access(|request| match request.headers.get("x-user") {
//!     Some(user) => Access::act(user.to_str().unwrap_or("unknown")),
//!     None => Access::Forbidden,
//! });
//! let app: Router = Router::new().nest_service("/queue", board.router());
//! ```
//!
//! # What it shows
//!
//! | address | content |
//! | --- | --- |
//! | `/` | each queue: its depth by state, how long its oldest ready job has waited, the jobs that ended in the last hour, its workers; pause, resume, retry |
//! | `/jobs` | the jobs that match the filter of the address, page by page; changes to many jobs |
//! | `/jobs/ID` | one job: why it is not running, its attempts and errors, its data; retry, cancel, copy, delete, export |
//! | `/workers` | the workers, and the jobs that each runs: since when, and the end of the lease |
//! | `/schedules` | the schedules of a group: when each comes next, the last tick with its job, the outcomes of the last ones; pause, resume, trigger |
//! | `/names` | each kind of job: durations, share of failures, the most frequent errors |
//! | `/enqueue` | a form that enqueues a job by its name |
//!
//! With `Accept: application/json`, each address answers in JSON, in which times are microseconds since the Unix epoch. With
//! `Accept: text/event-stream`, it answers with server-sent events. The pages work without JavaScript, and update themselves with it.
//!
//! # Safety
//!
//! - Without [`Board::access`], the board admits only programs on this machine, and refuses changes.
//! - A change needs a POST request of the board's own page. The pages forbid foreign scripts and frames.
//! - Payloads, results, unique keys and values of meta are hidden, unless [`Board::payloads`] shows them.
//! - For a change to many jobs, the board shows their number first and changes only these jobs. The operator can stop it.
//!
//! # Cost
//!
//! A page reads one list, one job or a summary, never all jobs: a search for rare jobs ends after 10,000 others, and goes on at a
//! button. While pages are open, the board polls the store once a second for
//! all of them together; while no page is open, it does not poll.

mod access;
mod answer;
mod assets;
mod board;
mod bulk;
mod chart;
mod desk;
mod error;
mod fields;
mod form;
mod frame;
mod guard;
mod history;
mod job_view;
mod json_text;
mod live;
mod operation;
mod page;
mod privacy;
mod query;
mod site;
mod text;
mod view;
mod visit;

pub use access::Access;
pub use board::Board;
pub use privacy::{Private, PrivateField, hide_keys, show_all};

/// Compiles the program in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct BoardReadme;
