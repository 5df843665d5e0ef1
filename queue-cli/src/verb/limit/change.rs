//! `queue limit set` and `queue limit unset`: the limits of operators.

use std::time::Duration;

use clap::Args;
use queue_core::{Admin, Limit, LimitScope, QueueName};
use serde::Serialize;

use super::fields::{LimitFields, ScopeFields};
use super::scope::ScopeOptions;
use crate::exit::{Exit, Failure};
use crate::find::KnownNames;
use crate::instant::duration;
use crate::output::Output;

/// Sets a limit, which is in force instead of the declared one until it is unset; running jobs go on
#[derive(Args, Debug)]
pub(super) struct Set {
    /// The queue
    queue: String,
    #[command(flatten)]
    scope: ScopeOptions,
    /// The maximum number of jobs that run at once; 0 starts none
    #[arg(long, value_name = "JOBS", required_unless_present_any = ["starts", "weight"])]
    running: Option<u32>,
    /// The maximum number of starts in any window of the length `--per`
    #[arg(long, value_name = "JOBS", requires = "per")]
    starts: Option<u32>,
    /// The length of the window: `1s`, `1m`
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "starts")]
    per: Option<Duration>,
    /// How many jobs may start at once after a pause
    #[arg(long, value_name = "JOBS", default_value_t = 1, requires = "starts")]
    burst: u32,
    /// The share of a partition, beside others of weight 1
    #[arg(long, default_value_t = 1)]
    weight: u32,
    /// Sets a limit of a queue that no job and no worker names yet
    #[arg(long)]
    force: bool,
}

/// Takes back a limit that an operator has set; the declared one is in force again
#[derive(Args, Debug)]
pub(super) struct Unset {
    /// The queue
    queue: String,
    #[command(flatten)]
    scope: ScopeOptions,
}

/// The limit that is in force after a change.
#[derive(Serialize)]
struct ChangeLine<'a> {
    queue: &'a str,
    #[serde(flatten)]
    fields: ScopeFields,
    limit: Option<LimitFields>,
}

impl Set {
    pub(super) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        if !self.force {
            KnownNames::read(queue).await?.require_queue(&self.queue)?;
        }
        let scope = self.scope.scope();
        queue.set_limit(&self.queue.as_str().into(), &scope, Some(self.limit())).await?;
        print(queue, &self.queue, &scope, out).await
    }

    fn limit(&self) -> Limit {
        let mut limit = Limit::weight(self.weight);
        limit.running = self.running;
        match (self.starts, self.per) {
            (Some(starts), Some(per)) => limit.and_starts(starts, per).burst(self.burst),
            _ => limit,
        }
    }
}

impl Unset {
    pub(super) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let (name, scope) = (QueueName::from(self.queue.as_str()), self.scope.scope());
        let limits = queue.limits(&name).await?;
        if !limits.iter().any(|record| record.scope == scope && record.set.is_some()) {
            let failure =
                Failure::not_found(format!("no operator has set a limit for {scope} in the queue `{name}`"));
            return Err(failure.help(format!("run `queue limit list {name}`")));
        }
        queue.set_limit(&name, &scope, None).await?;
        print(queue, &self.queue, &scope, out).await
    }
}

async fn print(queue: &dyn Admin, name: &str, scope: &LimitScope, out: &mut Output) -> Result<Exit, Failure> {
    let limits = queue.limits(&name.into()).await?;
    let limit = limits.iter().find(|record| record.scope == *scope).and_then(|record| record.in_force());
    let line = ChangeLine { queue: name, fields: ScopeFields::new(scope), limit: limit.map(Into::into) };
    match limit {
        Some(limit) => out.sentence(&line, format_args!("{name}: {scope}: {limit}"))?,
        None => out.sentence(&line, format_args!("{name}: {scope}: no limit of its own"))?,
    }
    Ok(Exit::Done)
}
