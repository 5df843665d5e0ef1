//! `queue pause`: stops deliveries from queues.

use clap::Args;
use queue_core::Admin;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::find::KnownNames;
use crate::output::Output;

/// Stops deliveries from a queue; running jobs go on
#[derive(Args, Debug)]
pub(crate) struct Pause {
    /// The queues
    #[arg(required = true)]
    queues: Vec<String>,
    /// Pauses a queue that no job and no worker names yet
    #[arg(long)]
    force: bool,
}

/// Whether a queue is paused now.
#[derive(Serialize)]
pub(super) struct PauseLine<'a> {
    pub(super) queue: &'a str,
    pub(super) paused: bool,
}

impl Pause {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        if !self.force {
            // A misspelt name would leave the queue that was meant running.
            let known = KnownNames::read(queue).await?;
            self.queues.iter().try_for_each(|name| known.require_queue(name))?;
        }
        for name in &self.queues {
            queue.pause(&name.as_str().into()).await?;
            out.sentence(&PauseLine { queue: name, paused: true }, format_args!("paused {name}"))?;
        }
        Ok(Exit::Done)
    }
}
