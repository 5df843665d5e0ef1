//! Deterministic tests for background jobs, and the conformance suite that every queue passes.

mod clock;
mod fixture;

pub use clock::VirtualClock;
pub use fixture::{Bounded, Fixture, TryPush};
