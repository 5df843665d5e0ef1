//! `queue limit`: the limits of a queue and its partitions.

mod change;
mod fields;
mod list;
mod scope;
mod usage;

use clap::{Args, Subcommand};
use queue_core::Admin;

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Lists, sets and takes back limits of queues and partitions, and shows how far they are used
#[derive(Args, Debug)]
pub(crate) struct Limit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::List),
    Usage(usage::ShowUsage),
    Set(change::Set),
    Unset(change::Unset),
}

impl Limit {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        match self.action {
            Action::List(action) => action.run(queue, out).await,
            Action::Usage(action) => action.run(queue, out).await,
            Action::Set(action) => action.run(queue, out).await,
            Action::Unset(action) => action.run(queue, out).await,
        }
    }
}
