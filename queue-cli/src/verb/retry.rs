//! `queue retry`: runs jobs again, or at once.

use clap::Args;
use queue_core::Admin;
use queue_core::admin::Change;

use crate::exit::{Exit, Failure};
use crate::filter::StateOption;
use crate::output::Output;
use crate::selection::Selection;

/// Runs finished jobs again, and waiting ones now
///
/// A filter without a state means discarded jobs.
#[derive(Args, Debug)]
pub(crate) struct Retry {
    #[command(flatten)]
    selection: Selection,
}

impl Retry {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        self.selection.change(queue, out, &Change::Retry, &[StateOption::Discarded]).await
    }
}
