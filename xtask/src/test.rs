//! `cargo xtask test`: every test of the project.

use crate::cargo::cargo;
use crate::servers;
use crate::steps::{self, Step};
use crate::torture;
use crate::workspace::Workspace;

const REMEDY: &str = "the first failure above names the test";

/// Runs them, and says so where the arguments leave some out.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    if !arguments.is_empty() {
        println!("with arguments, `cargo test` alone is run, without the loom models and the torture");
    }
    steps::run(steps(arguments), workspace)
}

/// All tests; with arguments, only what `cargo test` makes of them.
pub(crate) fn steps(arguments: &[String]) -> Vec<Step> {
    let names_packages =
        arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package"));
    let scope = if names_packages { "test --all-features" } else { "test --workspace --all-features" };
    // Unit, integration and documentation tests; the UI tests of the macro are among the integration tests.
    let tests = Step::cargo("tests", cargo(scope).with_arguments(arguments), REMEDY);
    if arguments.is_empty() {
        let mut steps = vec![servers::step(), tests, loom_models()];
        steps.extend(torture::steps());
        steps
    } else {
        vec![servers::step(), tests]
    }
}

/// Runs the models of `queue-tokio/src/memory/loom.rs`.
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

    #[test]
    fn without_arguments_the_loom_models_and_the_torture_are_run_too() {
        assert_eq!(
            names(&[]),
            ["servers", "tests", "loom models", "torture of sqlite", "torture of postgres"]
        );
    }

    #[test]
    fn arguments_narrow_it_to_cargo_test() {
        assert_eq!(names(&["-p", "queue-core"]), ["servers", "tests"]);
    }
}
