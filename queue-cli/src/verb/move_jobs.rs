//! `queue move`: moves the unfinished jobs of a queue to another store.

use clap::Args;
use queue_core::admin::{JobMove, LeftReason, MoveError, Moved};
use queue_core::backend::error_chain;
use queue_core::{Admin, JobId, QueueError};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::find::KnownNames;
use crate::instant::duration;
use crate::output::{Output, grouped};
use crate::progress;
use crate::store::Address;

/// Moves the unfinished jobs of a paused queue to another store
///
/// Jobs keep their ids, attempts, errors, unique keys and times. The queue stays paused in the other store until you resume it there.
/// After a crash, run the command again: each job is in one store or in both.
#[derive(Args, Debug)]
pub(crate) struct Move {
    /// The store with the jobs
    from: Address,
    /// The store to which they move; `queue migrate` creates it
    to: Address,
    /// The queue
    #[arg(long, short)]
    queue: String,
    /// The schema of the other store, in PostgreSQL; by default that of `--schema`
    #[arg(long, value_name = "SCHEMA")]
    to_schema: Option<String>,
    /// Waits at most this time for running jobs to end: `5m`
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s")]
    wait: std::time::Duration,
}

/// The result of a move.
#[derive(Serialize)]
struct MovedLine {
    queue: String,
    /// The number of jobs that are in the other store now.
    moved: u64,
    /// Those of them that an earlier run had stored there.
    present: u64,
    /// The jobs that were left where they are.
    left: Vec<LeftJob>,
}

#[derive(Serialize)]
struct LeftJob {
    id: JobId,
    reason: String,
}

impl Move {
    pub(crate) async fn run(self, schema: &str, out: &mut Output) -> Result<Exit, Failure> {
        let from = self.from.store(schema).open().await?;
        let to = self.to.store(self.to_schema.as_deref().unwrap_or(schema)).open().await?;
        KnownNames::read(&*from).await?.require_queue(&self.queue)?;
        let bar = progress::bar(unfinished(&*from, &self.queue).await?, "move");
        let mut show = |moved: &Moved| bar.set_position(moved.jobs);
        let moving = JobMove::of(self.queue.as_str()).wait_for_executing(self.wait);
        let moved = moving.run(&*from, &*to, &mut show).await;
        bar.finish_and_clear();
        let moved = moved.map_err(|error| failure(&error, &self.queue))?;
        let left =
            moved.left.iter().map(|(id, reason)| LeftJob { id: *id, reason: left_reason(reason) }).collect();
        let line = MovedLine { queue: self.queue, moved: moved.jobs, present: moved.present, left };
        out.sentence(&line, format_args!("moved {} jobs of {}", grouped(line.moved), line.queue))?;
        if !out.is_json() {
            line.left.iter().try_for_each(|job| out.text(format_args!("left {}: {}", job.id, job.reason)))?;
        }
        out.note(format_args!(
            "{} is paused in the other store: `queue resume {}` there starts it",
            line.queue, line.queue
        ))?;
        Ok(if line.left.is_empty() { Exit::Done } else { Exit::Conflict })
    }
}

/// Returns the number of unfinished jobs of a queue.
async fn unfinished(store: &dyn Admin, queue: &str) -> Result<u64, QueueError> {
    let summaries = store.summary_up_to(u64::MAX).await?;
    let summary = summaries.iter().find(|summary| summary.queue == *queue);
    let states = queue_core::State::ALL.into_iter().filter(|state| !state.is_finished());
    Ok(summary.map_or(0, |summary| states.map(|state| summary.of(state).jobs).sum()))
}

fn left_reason(reason: &LeftReason) -> String {
    match reason {
        LeftReason::KeyHeld(holder) => format!("job {holder} of the other store holds its unique key"),
        _ => "the other store has another job of this id".to_owned(),
    }
}

fn failure(error: &MoveError, queue: &str) -> Failure {
    let help = match error {
        MoveError::NotPaused(_) => Some(format!("run `queue pause {queue}` on the store with the jobs")),
        MoveError::Executing { .. } => Some("--wait 5m waits until they have ended".to_owned()),
        _ => None,
    };
    let text = error_chain(error);
    Failure::from(QueueError::new(error.kind(), text)).help(help)
}
