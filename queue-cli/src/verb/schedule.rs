//! `queue schedule`: the schedules of the programs of a store.

mod backfill;
mod change;
mod line;
mod list;
mod name;
mod next;
mod put;
mod show;

use std::sync::Arc;

use clap::{Args, Subcommand};
use queue_core::Admin;

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Lists, changes and triggers schedules
#[derive(Args, Debug)]
pub(crate) struct Schedule {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::List),
    Show(show::Show),
    Next(next::Next),
    Put(put::Put),
    Pause(change::Pause),
    Resume(change::Resume),
    Trigger(change::Trigger),
    Remove(change::Remove),
    Backfill(backfill::Backfill),
}

impl Schedule {
    pub(crate) async fn run(self, queue: Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        match self.action {
            Action::List(action) => action.run(&queue, out).await,
            Action::Show(action) => action.run(&queue, out).await,
            Action::Next(action) => action.run(&queue, out).await,
            Action::Put(action) => action.run(&queue, out).await,
            Action::Pause(action) => action.run(&queue, out).await,
            Action::Resume(action) => action.run(&queue, out).await,
            Action::Trigger(action) => action.run(&queue, out).await,
            Action::Remove(action) => action.run(&queue, out).await,
            Action::Backfill(action) => action.run(&queue, out).await,
        }
    }
}
