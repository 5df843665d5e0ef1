//! The command `queue`: shows and changes the jobs of a store, and prints the reasons why a job is not running.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `command.rs` | the options of every verb, and the list of verbs |
//! | `verb/` | one file for each verb: its options, and what it does with an `Admin` |
//! | `store.rs` | the address of a store, and how it is opened |
//! | `output.rs`, `output/` | tables on a terminal, lines elsewhere, JSON on request |
//! | `exit.rs` | the exit codes, and the text of a failure |
//!
//! `docs/cli.md` is its manual.

mod command;
mod exit;
mod filter;
mod find;
mod flow;
mod instant;
mod job_line;
mod nearest;
mod output;
mod progress;
mod prompt;
mod selection;
mod store;
mod taken;
mod verb;

use std::process::ExitCode;

use clap::Parser as _;

use command::Command;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let command = Command::parse();
    let is_json = command.options.json;
    match command.run().await {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(is_json),
    }
}
