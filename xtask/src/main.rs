//! `cargo xtask`: the project's checks, each by one command.
//!
//! The steps of `ci` are a table in `ci.rs`, the tools that they install are in `tools.rs`, and the rules of `tidy`
//! are in `tidy/`. This file reads the command line.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal prints")]

mod steps;
mod workspace;

mod ci;
mod test;
mod tidy;

mod servers;
mod tools;

use std::process::ExitCode;

use clap::Parser;

use crate::steps::cargo;
use crate::workspace::Workspace;

/// The project's checks, each by one command.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
enum Command {
    /// Runs every check, in the order of xtask/src/ci.rs.
    Ci,
    /// Runs every test, the loom models and a short torture; with arguments, `cargo test` with those alone.
    #[command(disable_help_flag = true)]
    Test(Rest),
    /// Checks the rules that no standard tool checks: laws, file length, sleeping tests and more.
    Tidy,
    /// Runs the benchmarks in bench/ with the arguments; `bench micro` is the hot paths alone.
    #[command(disable_help_flag = true)]
    Bench(Rest),
    /// Kills a durable queue's processes and its server at random, fills its disk, spoils its file.
    ///
    /// Usage: `torture sqlite|postgres [--minutes N | --kills N] [--seed S] [--keep]`.
    #[command(disable_help_flag = true)]
    Torture(Rest),
}

/// The arguments of another program.
#[derive(Debug, clap::Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match command {
        Command::Ci => steps::run(&ci::steps(&workspace), &workspace),
        Command::Test(Rest { arguments }) => test::run(&workspace, arguments),
        Command::Tidy => tidy::run(&workspace),
        Command::Bench(Rest { arguments }) => bench(&workspace, arguments),
        Command::Torture(Rest { arguments }) => test::torture(arguments).run(&workspace),
    }
}

/// Runs the benchmarks, a workspace of its own so that no other build waits for the peers.
fn bench(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    match arguments {
        [first, rest @ ..] if first == "micro" => {
            cargo("bench --manifest-path bench/micro/Cargo.toml --").with_arguments(rest).run(workspace)
        }
        all => cargo("run --release --manifest-path bench/Cargo.toml --").with_arguments(all).run(workspace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_other_programs_are_passed_on() {
        for line in ["test -p queue-core", "bench --help", "torture sqlite --minutes 1"] {
            let words: Vec<&str> = line.split(' ').collect();
            let command = Command::parse_from([&["xtask"], &*words].concat());

            let (Command::Test(rest) | Command::Bench(rest) | Command::Torture(rest)) = command else {
                panic!("{command:?}");
            };
            assert_eq!(rest.arguments, words[1..]);
        }
    }
}
