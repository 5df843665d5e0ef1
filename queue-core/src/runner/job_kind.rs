//! A kind of job, as a program describes it to operators.

use crate::contract::name::{JobName, QueueName};

/// The description of a kind of job: see [`Jobs::kinds`](crate::Jobs::kinds).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobKind {
    /// The name.
    pub name: JobName,
    /// The payload's fields with their types, such as `user_id: u64`.
    pub fields: &'static [&'static str],
    /// The default queue.
    pub queue: QueueName,
    /// The default priority.
    pub priority: i32,
    /// The default maximum number of attempts.
    pub max_attempts: u32,
}
