//! `queue schedule list`: the schedules of all groups, or of one.

use std::sync::Arc;

use clap::Args;
use queue_core::Admin;
use queue_schedules::Schedules;

use super::line::ScheduleLine;
use crate::exit::{Exit, Failure};
use crate::nearest::did_you_mean;
use crate::output::Output;

/// The number of schedules that are read in one step.
const PAGE: usize = 500;

/// Lists the schedules, those that come next first
#[derive(Args, Debug)]
pub(super) struct List {
    /// The group; without one, all groups
    group: Option<String>,
    /// The number of ticks to come, in JSON
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    next: usize,
}

impl List {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        let groups = Schedules::groups(&queue.summary().await?);
        let groups = match self.group {
            None => groups,
            Some(group) if groups.contains(&group) => vec![group],
            Some(group) => {
                let failure = Failure::not_found(format!("there is no group `{group}`"));
                return Err(failure.help(did_you_mean(&group, groups.iter().map(String::as_str))));
            }
        };
        let mut is_empty = true;
        for group in groups {
            let group = Schedules::new(group, queue.clone());
            let mut after = None;
            loop {
                let page = group.page(after, PAGE).await?;
                let lines: Vec<_> = page
                    .schedules
                    .iter()
                    .map(|schedule| ScheduleLine::new(schedule, self.next, &[]))
                    .collect();
                is_empty &= lines.is_empty();
                out.records(&lines)?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        if is_empty {
            out.note("there is no schedule")?;
        }
        Ok(Exit::Done)
    }
}
