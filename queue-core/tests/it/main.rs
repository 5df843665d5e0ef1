//! Tests attempts, services and the kit with the real pipeline, by means of the testkit.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod attempts;
mod closures;
mod contexts;
mod decorators;
mod disposal;
mod endings;
mod extremes;
mod faults;
mod followups;
mod graph;
mod injection;
mod job_move;
mod kit;
mod limits;
mod middleware;
mod on_discard;
mod problems;
mod reasons;
mod results;
mod scopes;
mod secrets;
mod shown;
mod table;
mod unknown;
