//! `queue resume`: resumes deliveries from queues.

use clap::Args;
use queue_core::Admin;

use super::pause::PauseLine;
use crate::exit::{Exit, Failure};
use crate::find::KnownNames;
use crate::output::Output;

/// Resumes deliveries from a queue
#[derive(Args, Debug)]
pub(crate) struct Resume {
    /// The queues
    #[arg(required = true)]
    queues: Vec<String>,
}

impl Resume {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let known = KnownNames::read(queue).await?;
        self.queues.iter().try_for_each(|name| known.require_queue(name))?;
        for name in &self.queues {
            queue.resume(&name.as_str().into()).await?;
            out.sentence(&PauseLine { queue: name, paused: false }, format_args!("resumed {name}"))?;
        }
        Ok(Exit::Done)
    }
}
