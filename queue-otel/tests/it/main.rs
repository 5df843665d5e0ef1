//! Tests of the traces: what is in a job's meta, and which spans are connected, in one process and across two.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod jobs;
mod meta;
mod processes;
mod spans;
mod traces;
