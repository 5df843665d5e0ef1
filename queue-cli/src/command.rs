//! The command line: the options of every verb, and the list of verbs.

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use queue_core::Admin;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::store::{Address, FORMS, Store};
use crate::verb;

/// Shows and changes the jobs of a store, and prints the reasons why a job is not running.
#[derive(Debug, Parser)]
#[command(name = "queue", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Command {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    verb: Verb,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 refused, 2 usage, 3 not found, 4 conflict, 5 the store is unavailable.

  export QUEUE_URL=sqlite:jobs.db
  queue status                     the queues, and their jobs by state
  queue list --state discarded     the newest discarded jobs
  queue why 0190af3c               why a job is not running, by the first digits of its id";

/// The options of every verb.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The store: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`
    #[arg(long, env = "QUEUE_URL", hide_env_values = true, global = true)]
    url: Option<Address>,
    /// The schema of the queue, in PostgreSQL
    #[arg(long, env = "QUEUE_SCHEMA", hide_env_values = true, default_value = "queue", global = true)]
    schema: String,
    /// Prints JSON, one object on each line
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(verb::Status),
    Top(verb::Top),
    List(verb::List),
    Show(verb::Show),
    Why(verb::Why),
    Push(verb::Push),
    Schedule(verb::Schedule),
    Retry(verb::Retry),
    Cancel(verb::Cancel),
    Delete(verb::Delete),
    Pause(verb::Pause),
    Resume(verb::Resume),
    Limit(verb::Limit),
    Wait(verb::Wait),
    Export(verb::Export),
    Check(verb::Check),
    Move(verb::Move),
    Migrate(verb::Migrate),
    Doctor(verb::Doctor),
    Board(verb::Board),
    Completions(verb::Completions),
}

impl Command {
    /// Runs the verb.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        let Self { options, verb } = self;
        let mut output = Output::to_stdout(options.json);
        let out = &mut output;
        let exit = match verb {
            // These need no store, two stores, or one that may not exist yet.
            Verb::Completions(verb) => verb.run(Self::command(), out)?,
            Verb::Move(verb) => verb.run(&options.schema, out).await?,
            Verb::Migrate(verb) => verb.run(&options.store()?, out).await?,
            Verb::Status(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Top(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::List(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Show(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Why(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Push(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Retry(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Cancel(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Delete(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Pause(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Resume(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Limit(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Wait(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Export(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Check(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Doctor(verb) => verb.run(&*options.open().await?, out).await?,
            Verb::Schedule(verb) => verb.run(options.open().await?.into(), out).await?,
            Verb::Board(verb) => verb.run(options.open().await?.into(), out).await?,
        };
        output.finish()?;
        Ok(exit)
    }
}

impl Options {
    /// Returns the store that the options name.
    fn store(&self) -> Result<Store, Failure> {
        match &self.url {
            Some(address) => Ok(address.store(&self.schema)),
            None => Err(Failure::usage(format!("no store is named: set QUEUE_URL, or pass --url: {FORMS}"))),
        }
    }

    /// Opens the store, which must exist.
    async fn open(&self) -> Result<Box<dyn Admin>, Failure> {
        self.store()?.open().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_each_verb_have_names_of_their_own() {
        Command::command().debug_assert();
    }
}
