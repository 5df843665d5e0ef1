//! `queue limit list`: the limits of a queue, as programs declare them and as operators have set them.

use clap::Args;
use queue_core::admin::LimitRecord;
use queue_core::{Admin, Limit};
use serde::Serialize;

use super::fields::{LimitFields, ScopeFields};
use crate::exit::{Exit, Failure};
use crate::find::KnownNames;
use crate::output::{Cell, Output, Record, Times};

/// Lists the limits of a queue: those that programs declare, and those that operators have set instead
#[derive(Args, Debug)]
pub(super) struct List {
    /// The queue
    queue: String,
}

/// A limit in JSON, and as a row. `docs/cli.md` documents its fields.
#[derive(Serialize)]
struct LimitLine {
    #[serde(flatten)]
    fields: ScopeFields,
    declared: Option<LimitFields>,
    set: Option<LimitFields>,
    #[serde(skip)]
    record: LimitRecord,
}

impl List {
    pub(super) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let limits = queue.limits(&self.queue.as_str().into()).await?;
        if limits.is_empty() {
            KnownNames::read(queue).await?.require_queue(&self.queue)?;
            out.note("the queue has no limit")?;
        }
        out.records(&limits.into_iter().map(LimitLine::new).collect::<Vec<_>>())?;
        Ok(Exit::Done)
    }
}

impl LimitLine {
    fn new(record: LimitRecord) -> Self {
        let (declared, set) = (record.declared.map(Into::into), record.set.map(Into::into));
        Self { fields: ScopeFields::new(&record.scope), declared, set, record }
    }
}

impl Record for LimitLine {
    const HEADERS: &'static [&'static str] = &["SCOPE", "DECLARED", "SET BY AN OPERATOR"];

    fn cells(&self, _: Times) -> Vec<Cell> {
        let limit =
            |limit: &Option<Limit>| Cell::text(limit.map(|limit| limit.to_string()).unwrap_or_default());
        vec![Cell::text(&self.record.scope), limit(&self.record.declared), limit(&self.record.set)]
    }
}
