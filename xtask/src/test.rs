//! `cargo xtask test`: every test of the project.

use std::time::Duration;

use crate::servers;
use crate::steps::{self, Cargo, Step, cargo};
use crate::workspace::Workspace;

/// The short forms of the torture: each takes about a minute and a half on a quiet machine.
const TORTURE: [&str; 2] =
    ["sqlite --kills 40 --stops 12", "postgres --kills 15 --stops 6 --rotations 2 --restores 1"];

/// A queue that hangs fails, rather than the whole run with it.
const TORTURE_LIMIT: Duration = Duration::from_secs(900);

/// Runs the tests, and says what arguments leave out.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    if !arguments.is_empty() {
        println!("with arguments, `cargo test` alone is run, without the loom models and the torture");
    }
    steps::run(&steps(arguments), workspace)
}

/// Returns all tests; with arguments, only what `cargo test` makes of them.
pub(crate) fn steps(arguments: &[String]) -> Vec<Step> {
    let names_packages =
        arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package"));
    let scope = if names_packages { "test --all-features" } else { "test --workspace --all-features" };
    // Unit, integration and documentation tests; the UI tests of the macro are among the integration tests.
    let tests = cargo(scope).with_arguments(arguments);
    let mut steps = vec![
        Step::call("servers", servers::ensure_installed, "the error says what to install"),
        Step::cargo("tests", tests, "the first failure above names the test"),
    ];
    if arguments.is_empty() {
        steps.push(loom_models());
        steps.extend(TORTURE.map(short_torture));
    }
    steps
}

/// Returns the torture that lasts as long as the arguments say, built with optimizations.
pub(crate) fn torture(arguments: &[String]) -> Cargo {
    cargo("run --release --package queue-torture --").with_arguments(arguments)
}

/// Returns a torture that every change must pass, built as the tests are.
fn short_torture(form: &str) -> Step {
    let queue = form.split(' ').next().unwrap_or_default();
    let call = cargo(&format!("run --package queue-torture -- {form}")).with_limit(TORTURE_LIMIT);
    let remedy = "the output above names the seed, the folder that was kept and the rule";
    Step::cargo(&format!("torture of {queue}"), call, remedy)
}

/// Returns the models of `queue-tokio/src/memory/loom.rs`.
///
/// `queue_loom` is a condition of ours: under `cfg(loom)`, tokio would lack what the crate's other tests use.
/// The models have a target directory of their own, because the flag would rebuild everything in the common one.
fn loom_models() -> Step {
    let call = cargo("test --package queue-tokio --lib loom --target-dir target/loom");
    let remedy = "the output above names the model and the interleaving";
    Step::cargo("loom models", call.with_variable("RUSTFLAGS", "--cfg queue_loom"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        steps(&arguments).into_iter().map(|step| step.name).collect()
    }

    /// D2, D3, D4, D5, D8: The program that holds durable queues to them is run with every test.
    #[test]
    fn the_torture_that_kills_in_mid_load_is_run_with_every_test() {
        let all = ["servers", "tests", "loom models", "torture of sqlite", "torture of postgres"];
        assert_eq!(names(&[]), all);
        assert!(TORTURE.iter().all(|form| form.contains(" --kills ")), "{TORTURE:?}");
    }

    #[test]
    fn arguments_narrow_it_to_cargo_test() {
        assert_eq!(names(&["-p", "queue-core"]), ["servers", "tests"]);
    }
}
