//! Runs attempts: the jobs that a program knows, their services, and the middleware around them. It uses all other layers but
//! the table.

pub(crate) mod attempt_runner;
mod base_worker;
mod bounds;
pub(crate) mod check;
pub(crate) mod handle;
pub(crate) mod job_kind;
pub(crate) mod kind;
mod lazy_on_discard;
mod on_discard;
pub(crate) mod recurring;
pub(crate) mod registry;
mod report;
