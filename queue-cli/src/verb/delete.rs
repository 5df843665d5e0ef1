//! `queue delete`: deletes jobs that are not running.

use clap::Args;
use queue_core::Admin;
use queue_core::admin::Change;

use crate::exit::{Exit, Failure};
use crate::filter::StateOption;
use crate::output::Output;
use crate::selection::Selection;

/// Deletes jobs that are not running
///
/// A filter without a state means finished jobs.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    selection: Selection,
}

impl Delete {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        self.selection.change(queue, out, &Change::Delete, &[StateOption::Finished]).await
    }
}
