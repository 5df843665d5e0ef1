//! `queue limit usage`: how far a queue and its partitions use their limits.

use clap::Args;
use queue_core::admin::{QueueUsage, Usage, UsageRequest};
use queue_core::{Admin, Limit, LimitScope};
use serde::Serialize;

use super::fields::{LimitFields, ScopeFields};
use crate::exit::{Exit, Failure};
use crate::find::KnownNames;
use crate::output::{Cell, Output, Record, Rfc3339, Times};

/// Shows how far a queue and its partitions use their limits, the fullest partitions first
#[derive(Args, Debug)]
#[command(name = "usage")]
pub(super) struct ShowUsage {
    /// The queue
    queue: String,
    /// Only this partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// The maximum number of partitions
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
}

/// A queue or a partition in JSON, and as a row. `docs/cli.md` documents its fields.
#[derive(Serialize)]
struct UsageLine {
    #[serde(flatten)]
    fields: ScopeFields,
    ready: u64,
    running: u64,
    limit: LimitFields,
    next_start: Option<Rfc3339>,
    #[serde(skip)]
    shown: (LimitScope, Limit),
}

impl ShowUsage {
    pub(super) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let mut request = UsageRequest::of(self.queue.as_str()).limit(self.limit);
        request.partition = self.partition.map(Into::into);
        let QueueUsage { total, partitions, .. } = queue.usage(&request).await?;
        if partitions.is_empty() {
            KnownNames::read(queue).await?.require_queue(&self.queue)?;
        }
        let total = UsageLine::new(LimitScope::Total, &total);
        let partitions = partitions
            .iter()
            .map(|used| UsageLine::new(LimitScope::One(used.partition.clone()), &used.usage));
        out.records(&[total].into_iter().chain(partitions).collect::<Vec<_>>())?;
        Ok(Exit::Done)
    }
}

impl UsageLine {
    fn new(scope: LimitScope, usage: &Usage) -> Self {
        let Usage { ready, running, limit, next_start, .. } = *usage;
        let fields = ScopeFields::new(&scope);
        let next_start = next_start.map(Rfc3339);
        Self { fields, ready, running, limit: limit.into(), next_start, shown: (scope, limit) }
    }
}

impl Record for UsageLine {
    const HEADERS: &'static [&'static str] = &["SCOPE", "READY", "RUNNING", "LIMIT", "NEXT START"];

    fn cells(&self, times: Times) -> Vec<Cell> {
        let next = self.next_start.map_or(Cell::text("now"), |Rfc3339(at)| Cell::time(at, times));
        vec![
            Cell::text(&self.shown.0),
            Cell::number(self.ready),
            Cell::number(self.running),
            Cell::text(self.shown.1),
            next,
        ]
    }
}
