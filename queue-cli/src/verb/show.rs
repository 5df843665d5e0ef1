//! `queue show`: one job.

use clap::Args;
use queue_core::Admin;

use crate::exit::{Exit, Failure};
use crate::find;
use crate::job_line::{JobLine, Privacy};
use crate::output::Output;

/// Shows a job with its attempts, errors and meta
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The job, by its id or the first digits of it
    id: String,
    /// Shows the payload and the result too
    #[arg(long)]
    payload: bool,
}

impl Show {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let job = find::job(queue, &self.id).await?;
        let privacy = if self.payload { Privacy::Shown } else { Privacy::Hidden };
        let line = JobLine::new(&job, privacy);
        let fields = line.fields(out.times());
        out.fields(&line, &fields)?;
        Ok(Exit::Done)
    }
}
