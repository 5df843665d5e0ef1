//! `queue schedule next`: the ticks to come.

use std::sync::Arc;

use clap::Args;
use queue_core::Admin;
use serde::Serialize;

use super::name::ScheduleName;
use crate::exit::{Exit, Failure};
use crate::output::{Cell, Output, Record, Rfc3339, Times};

/// Prints the next ticks of a schedule
#[derive(Args, Debug)]
pub(super) struct Next {
    /// The schedule, as GROUP/NAME
    schedule: ScheduleName,
    /// The number of ticks
    #[arg(long, short, value_name = "NUMBER", default_value_t = 5)]
    count: usize,
}

/// A tick to come.
#[derive(Serialize)]
struct TickLine {
    at: Rfc3339,
}

impl Next {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        let schedule = self.schedule.read(queue).await?;
        let ticks = schedule.next(self.count).into_iter().map(|at| TickLine { at: Rfc3339(at) });
        out.records(&ticks.collect::<Vec<_>>())?;
        if schedule.is_paused {
            out.note(format_args!("{} is paused: none of them comes until it is resumed", self.schedule))?;
        }
        Ok(Exit::Done)
    }
}

impl Record for TickLine {
    const HEADERS: &'static [&'static str] = &["TICK"];

    fn cells(&self, _: Times) -> Vec<Cell> {
        vec![Cell::time(self.at.0, Times::Absolute)]
    }
}
