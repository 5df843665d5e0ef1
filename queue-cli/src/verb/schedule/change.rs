//! `queue schedule pause`, `resume`, `trigger` and `remove`: changes to one schedule.

use std::sync::Arc;

use clap::Args;
use queue_core::{Admin, JobId, Receipt};
use serde::Serialize;

use super::name::ScheduleName;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Pauses a schedule: it enqueues nothing, over restarts and deploys
#[derive(Args, Debug)]
pub(super) struct Pause {
    /// The schedule, as GROUP/NAME
    schedule: ScheduleName,
}

/// Resumes a paused schedule; its rule on late ticks decides on those of the pause
#[derive(Args, Debug)]
pub(super) struct Resume {
    /// The schedule, as GROUP/NAME
    schedule: ScheduleName,
}

/// Enqueues the job of a schedule now, and changes no tick
#[derive(Args, Debug)]
pub(super) struct Trigger {
    /// The schedule, as GROUP/NAME
    schedule: ScheduleName,
}

/// Removes a schedule that was put at run time; a declared one comes back at the next start of its program
#[derive(Args, Debug)]
pub(super) struct Remove {
    /// The schedule, as GROUP/NAME
    schedule: ScheduleName,
}

/// Whether a schedule is paused now.
#[derive(Serialize)]
struct PauseLine {
    schedule: String,
    paused: bool,
}

/// The result of a trigger.
#[derive(Serialize)]
struct TriggerLine {
    schedule: String,
    id: JobId,
    /// `stored`, `existing` or `replaced`.
    receipt: &'static str,
}

/// The result of a removal.
#[derive(Serialize)]
struct RemoveLine {
    schedule: String,
    removed: bool,
}

impl Pause {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        self.schedule.read(queue).await?;
        self.schedule.group(queue).pause(&self.schedule.name).await?;
        let line = PauseLine { schedule: self.schedule.to_string(), paused: true };
        out.sentence(&line, format_args!("paused {}", line.schedule))?;
        Ok(Exit::Done)
    }
}

impl Resume {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        self.schedule.read(queue).await?;
        self.schedule.group(queue).resume(&self.schedule.name).await?;
        let line = PauseLine { schedule: self.schedule.to_string(), paused: false };
        out.sentence(&line, format_args!("resumed {}", line.schedule))?;
        Ok(Exit::Done)
    }
}

impl Trigger {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        self.schedule.read(queue).await?;
        let (receipt, said) = match self.schedule.group(queue).trigger(&self.schedule.name).await? {
            receipt @ Receipt::Stored(_) => (("stored", receipt.id()), "stored"),
            receipt @ Receipt::Replaced(_) => (("replaced", receipt.id()), "updated the waiting job"),
            receipt => {
                (("existing", receipt.id()), "nothing was stored: it may not overlap the unfinished job")
            }
        };
        let line = TriggerLine { schedule: self.schedule.to_string(), id: receipt.1, receipt: receipt.0 };
        out.sentence(&line, format_args!("{said} {}", line.id))?;
        Ok(Exit::Done)
    }
}

impl Remove {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        let schedule = self.schedule.read(queue).await?;
        self.schedule.group(queue).remove(&self.schedule.name).await?;
        let line = RemoveLine { schedule: self.schedule.to_string(), removed: true };
        out.sentence(&line, format_args!("removed {}", line.schedule))?;
        if schedule.is_declared {
            out.note("a program declares it: its next start stores it again")?;
        }
        Ok(Exit::Done)
    }
}
