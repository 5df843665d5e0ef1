//! The contract of queues as tests, for people who write backends.
//!
//! A backend's author describes the queue under test and writes one line, which makes one named test for each law:
//!
//! ```
//! # mod tests {
//! use queue_testkit::ModelQueue; // any type that implements `queue_conformance::Fixture`
//!
//! queue_conformance::conformance!(async || ModelQueue::new());
//! # }
//! ```
//!
//! - [`conformance`](mod@conformance): the laws that bind every queue, under a clock that the suite moves.
//! - [`durable`]: the laws that bind durable queues, with killed processes, killed servers and the real clock.
//! - [`history`]: the calls of many clients as data, and the check of whether the contract allows their answers.
//! - [`kit`](mod@kit): the laws of the testkit over a store whose clock tests move.
//! - [`load`]: random clients that record their calls, for a torture of a backend's own.
//!
//! Applications test their jobs with `queue-testkit` and need nothing of this crate.

pub mod conformance;
pub mod durable;
mod fixture;
pub mod history;
pub mod kit;
mod law;
pub mod load;

pub use fixture::{Bounded, Fixture, TryPush};
