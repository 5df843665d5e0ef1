//! The in-memory queue, the hosted loop and the host, on tokio.
//!
//! [`MemoryQueue`] stores jobs, [`QueueService`] runs them, and [`Host`] runs the service until the program ends.
//!
//! ```
//! use queue_core::{QueueExt as _, background_job, jobs};
//! use queue_tokio::{Host, MemoryQueue, QueueService};
//!
//! #[background_job]
//! async fn greet(name: &str) {}
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), queue_core::BoxError> {
//! let queue = MemoryQueue::new();
//! let host = Host::builder().service(QueueService::new(queue.clone(), jobs![greet])).build()?;
//! queue.enqueue(greet::new("world")).await?;
//! host.run_until(queue.idle()).await?; // a server calls `host.run().await?`
//! # Ok(())
//! # }
//! ```

mod clock;
mod health;
mod host;
mod hosted;
#[cfg(feature = "axum")]
mod http;
mod idle;
mod job_check;
mod memory;
mod runtime;
mod service;
mod single;

pub use clock::TokioClock;
pub use health::{Health, HealthReporter, HealthStatus, ServiceHealth};
pub use host::{Host, HostBuilder, HostError, OnFailure, RunningHost, ShutdownReport};
pub use hosted::{HostContext, HostedService};
#[cfg(feature = "axum")]
pub use http::HttpService;
pub use idle::IdleExt;
pub use job_check::{CheckError, JobCheck, answer_job_check};
pub use memory::{MemoryQueue, MemoryQueueBuilder};
pub use runtime::TokioRuntime;
pub use service::QueueService;

/// Compiles the programs in the README, and runs those that end.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
