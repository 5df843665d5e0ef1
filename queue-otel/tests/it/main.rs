//! Tests of the traces: the context in a job's meta, and the connections of spans, in one process and across two.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod current;
mod endings;
mod jobs;
mod meta;
mod processes;
mod sampling;
mod spans;
mod traces;
