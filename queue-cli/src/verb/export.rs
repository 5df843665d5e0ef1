//! `queue export`: a job as JSON, to be run again in a test.

use clap::Args;
use queue_core::Admin;

use crate::exit::{Exit, Failure};
use crate::find;
use crate::output::Output;

/// Prints a job as JSON, for `queue_testkit::TestKit::replay`; it has all data of the job
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The job, by its id or the first digits of it
    id: String,
}

impl Export {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let exported = find::job(queue, &self.id).await?.export()?;
        if out.is_json() {
            // JSON has no line break within a string, so each one is between two tokens.
            let lines: Vec<_> = exported.lines().map(str::trim_start).collect();
            out.text(lines.join(" "))?;
        } else {
            out.text(exported)?;
        }
        Ok(Exit::Done)
    }
}
