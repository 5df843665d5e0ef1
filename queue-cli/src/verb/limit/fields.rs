//! Limits and their scopes in JSON. `docs/cli.md` documents the fields.

use queue_core::{Limit, LimitScope};
use serde::Serialize;

/// The part of a queue that a limit binds.
#[derive(Serialize)]
pub(super) struct ScopeFields {
    /// `total`, `each` or `partition`.
    scope: &'static str,
    /// The name of the partition, which is empty for the jobs that name none.
    partition: Option<String>,
}

impl ScopeFields {
    pub(super) fn new(scope: &LimitScope) -> Self {
        match scope {
            LimitScope::One(partition) => Self { scope: "partition", partition: Some(partition.to_string()) },
            LimitScope::Each => Self { scope: "each", partition: None },
            _ => Self { scope: "total", partition: None },
        }
    }
}

/// The values of a limit.
#[derive(Serialize)]
pub(super) struct LimitFields {
    running: Option<u32>,
    starts: Option<u32>,
    per_seconds: Option<f64>,
    burst: Option<u32>,
    weight: u32,
}

impl From<Limit> for LimitFields {
    fn from(limit: Limit) -> Self {
        Self {
            running: limit.running,
            starts: limit.rate.map(|rate| rate.starts),
            per_seconds: limit.rate.map(|rate| rate.per.as_secs_f64()),
            burst: limit.rate.map(|rate| rate.burst),
            weight: limit.weight,
        }
    }
}
