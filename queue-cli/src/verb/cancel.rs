//! `queue cancel`: cancels jobs that wait, and asks running ones to stop.

use clap::Args;
use queue_core::Admin;
use queue_core::admin::Change;

use crate::exit::{Exit, Failure};
use crate::filter::StateOption;
use crate::output::Output;
use crate::selection::Selection;

/// Cancels waiting jobs, and asks running ones to stop
///
/// A filter without a state means unfinished jobs.
#[derive(Args, Debug)]
pub(crate) struct Cancel {
    #[command(flatten)]
    selection: Selection,
    /// Why, as the job shows it
    #[arg(long, default_value = "cancelled by an operator")]
    reason: String,
}

impl Cancel {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let change = Change::Cancel { reason: self.reason };
        self.selection.change(queue, out, &change, &[StateOption::Unfinished]).await
    }
}
