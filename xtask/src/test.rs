//! `cargo xtask test`: every test of the project.

use crate::cargo::cargo;
use crate::loom;
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
        let mut steps = vec![servers::step(), tests, Step::call("loom models", loom::run, REMEDY)];
        steps.extend(torture::steps());
        steps
    } else {
        vec![servers::step(), tests]
    }
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
