//! `queue schedule show`: one schedule.

use std::sync::Arc;

use clap::Args;
use queue_core::Admin;

use super::line::ScheduleLine;
use super::name::ScheduleName;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Shows a schedule with its next and its last ticks
#[derive(Args, Debug)]
pub(super) struct Show {
    /// The schedule, as GROUP/NAME
    schedule: ScheduleName,
    /// The number of ticks to come
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    next: usize,
    /// The number of past ticks
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    recent: usize,
}

impl Show {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        let schedule = self.schedule.read(queue).await?;
        let schedules = std::slice::from_ref(&schedule);
        let recent = self.schedule.group(queue).recent(schedules, self.recent).await?.concat();
        let line = ScheduleLine::new(&schedule, self.next, &recent);
        let fields = line.fields(out.times());
        out.fields(&line, &fields)?;
        Ok(Exit::Done)
    }
}
