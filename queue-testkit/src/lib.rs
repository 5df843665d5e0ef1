//! Tests for background jobs: a kit over any queue or under virtual time, faults, crashes and simulated fleets.
//!
//! The features `postgres` and `sqlite` add a private database for each test: `#[queue_testkit::test(postgres)]`.
//!
//! A backend's author holds a queue to the contract with `queue-conformance`.

#[doc(hidden)]
pub mod assert;
mod clock;
mod crash;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod database;
mod determinism;
pub mod explore;
pub mod fault;
pub mod fleet;
mod kit;
mod model_queue;
#[doc(hidden)]
pub mod private;
mod recorder;
mod report;

pub use clock::VirtualClock;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use database::DatabaseError;
#[cfg(feature = "postgres")]
pub use database::TestPostgres;
#[cfg(feature = "sqlite")]
pub use database::TestSqlite;
pub use determinism::{NonDeterministic, assert_deterministic};
pub use explore::crash_everywhere;
pub use fault::{Fault, FaultSource, Faults, Faulty, Operation};
pub use fleet::simulate;
pub use futures_executor::block_on;
pub use kit::{Enqueued, KitClock, KitError, KitQueue, TestKit, TestKitBuilder};
pub use model_queue::ModelQueue;
pub use queue_core::private::kit_test as test;
pub use recorder::Recorder;
pub use report::{AttemptReport, Run};

/// The guide's programs, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
pub struct Guide;
