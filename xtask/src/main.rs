//! `cargo xtask`: the project's checks, each by one command.
//!
//! What a check consists of is a table or a rule in a file of its own: the steps of `ci` in `ci.rs`, the rules of
//! `tidy` in `tidy/`, the examples in `examples.rs`.
//! This file only finds out which was asked for.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal prints")]

mod cargo;
mod steps;
mod workspace;

mod bench;
mod ci;
mod test;
mod tidy;

mod examples;
mod torture;

mod servers;
mod source;
mod tools;
mod tree;

use std::process::ExitCode;

use crate::workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <command>

  ci                  every check, in the order of xtask/src/ci.rs
  test [arguments]    every test: unit, integration, documentation, UI tests, loom models and a short torture;
                      with arguments, `cargo test` with those arguments alone
  tidy                the rules that no tool checks: laws, file length, sleeping tests and more
  bench [arguments]   the benchmarks in bench/, with the arguments passed on; `bench micro` is the hot paths alone
  torture sqlite|postgres [--minutes N | --kills N] [--seed S] [--keep]
                      kills a durable queue's processes, and its server, at random, fills its disk, spoils its file";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Ci,
    Test(Vec<String>),
    Tidy,
    Bench(Vec<String>),
    Torture(Vec<String>),
    Help,
}

fn main() -> ExitCode {
    let request = match read(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(mistake) => {
            eprintln!("error: {mistake}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match answer(&request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line; a mistake comes back as what to say about it.
fn read(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let command = arguments.next().ok_or("a command is missing")?;
    let rest: Vec<String> = arguments.collect();
    let request = match command.as_str() {
        "ci" => Request::Ci,
        "tidy" => Request::Tidy,
        "test" => return Ok(Request::Test(rest)),
        "bench" => return Ok(Request::Bench(rest)),
        "torture" => return Ok(Request::Torture(rest)),
        "help" | "--help" | "-h" => return Ok(Request::Help),
        unknown => return Err(format!("there is no command `{unknown}`")),
    };
    match rest.first() {
        None => Ok(request),
        Some(argument) => Err(format!("`{command}` takes no arguments, and got `{argument}`")),
    }
}

fn answer(request: &Request) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match request {
        Request::Ci => steps::run(ci::steps(), &workspace),
        Request::Test(arguments) => test::run(&workspace, arguments),
        Request::Tidy => tidy::run(&workspace),
        Request::Bench(arguments) => bench::run(&workspace, arguments),
        Request::Torture(arguments) => torture::run(&workspace, arguments),
        Request::Help => {
            println!("{USAGE}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(line: &str) -> Result<Request, String> {
        read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_after_test_bench_and_torture_are_passed_on() {
        assert_eq!(
            read_words("test -p queue-core"),
            Ok(Request::Test(vec!["-p".into(), "queue-core".into()]))
        );
        assert_eq!(read_words("bench --help"), Ok(Request::Bench(vec!["--help".into()])));
        assert_eq!(read_words("torture sqlite"), Ok(Request::Torture(vec!["sqlite".into()])));
        assert_eq!(read_words("ci"), Ok(Request::Ci));
    }

    #[test]
    fn a_mistake_names_what_was_wrong() {
        assert_eq!(read_words(""), Err("a command is missing".into()));
        assert_eq!(read_words("tset"), Err("there is no command `tset`".into()));
        assert_eq!(read_words("tidy --fix"), Err("`tidy` takes no arguments, and got `--fix`".into()));
    }
}
