//! The in-memory queue, the hosted loop and the host, on tokio.
//!
//! [`MemoryQueue`] keeps jobs, [`QueueService`] runs them, [`Host`] runs the service for as long as the program lives.

mod clock;
mod host;
mod hosted;
mod memory;
mod runtime;
mod service;

pub use clock::TokioClock;
pub use host::{Host, HostBuilder, HostError, OnFailure, RunningHost, ShutdownReport};
pub use hosted::{HostContext, HostedService};
pub use memory::{MemoryQueue, MemoryQueueBuilder};
pub use runtime::TokioRuntime;
pub use service::QueueService;

/// Holds the README's programs to compiling, and those that end to running.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
