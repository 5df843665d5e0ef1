//! What attempts, services and the kit promise, held against the real pipeline by the testkit.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod attempts;
mod closures;
mod faults;
mod injection;
mod kit;
mod limits;
mod table;
