//! `cargo xtask`: the project's checks, each by one command.
//!
//! The steps of `ci` and `test` are in `ci.rs`, the tools that they install in `tools.rs`, and the rules of `tidy` in
//! `tidy/`. This file reads the command line.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal prints")]

mod ci;
mod servers;
mod steps;
mod tidy;
mod tools;
mod workspace;

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
    Test(Rest),
    /// Checks the rules that no standard tool checks: laws, file length, sleeping tests and more.
    Tidy,
    /// Runs the benchmarks in bench/ with the arguments; `bench micro` is the hot paths alone.
    Bench(Rest),
    /// Kills a durable queue's processes and its server at random, fills its disk, spoils its file.
    ///
    /// Usage: `torture sqlite|postgres [--minutes N | --kills N] [--seed S] [--keep]`.
    Torture(Rest),
}

/// The arguments of another program.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    let Err(error) = run(&Command::parse()) else { return ExitCode::SUCCESS };
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn run(command: &Command) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match command {
        Command::Ci => steps::run(&ci::steps(&workspace), &workspace),
        Command::Test(Rest { arguments }) => steps::run(&ci::tests(arguments), &workspace),
        Command::Tidy => tidy::run(&workspace),
        Command::Bench(Rest { arguments }) => bench(&workspace, arguments),
        Command::Torture(Rest { arguments }) => {
            cargo("run --release --package queue-torture --").with_arguments(arguments).run(&workspace)
        }
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
        for (line, parsed) in [
            ("xtask test -p queue-core", r#"Test(Rest { arguments: ["-p", "queue-core"] })"#),
            ("xtask bench --help", r#"Bench(Rest { arguments: ["--help"] })"#),
            ("xtask torture --seed 1", r#"Torture(Rest { arguments: ["--seed", "1"] })"#),
        ] {
            assert_eq!(format!("{:?}", Command::parse_from(line.split(' '))), parsed);
        }
    }
}
