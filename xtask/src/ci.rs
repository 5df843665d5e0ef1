//! `cargo xtask ci`: every check that a change must pass, in this order.

use crate::cargo::cargo;
use crate::steps::Step;
use crate::{examples, test, tidy, tools};

/// The list of checks: the quick ones first, so that a slip costs seconds.
pub(crate) fn steps() -> Vec<Step> {
    let clippy = cargo("clippy --workspace --all-targets --all-features -- -D warnings");
    let documentation =
        cargo("doc --workspace --no-deps --all-features").with_variable("RUSTDOCFLAGS", "-D warnings");
    let mut steps = vec![
        Step::cargo("format", cargo("fmt --all --check"), "run `cargo fmt --all`"),
        Step::call("tidy", tidy::run, "each problem above says what to do"),
        Step::call(
            "dependencies",
            tools::deny,
            "use another crate or version, or give a reason in deny.toml",
        ),
        Step::call("unused", tools::shear, "delete what is listed, or reach the file by a `mod` line"),
        Step::cargo("clippy", clippy, "mend each warning above"),
        Step::cargo("documentation", documentation, "mend each warning above"),
    ];
    // Exactly what `cargo xtask test` runs.
    steps.extend(test::steps(&[]));
    steps.extend(examples::steps());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_a_name_of_its_own() {
        let mut names: Vec<String> = steps().into_iter().map(|step| step.name).collect();
        let count = names.len();

        names.sort();
        names.dedup();

        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_tests_are_those_of_the_test_command() {
        let names = |steps: Vec<Step>| steps.into_iter().map(|step| step.name).collect::<Vec<_>>();
        let all = names(steps());
        let tests = names(test::steps(&[]));

        assert!(all.windows(tests.len()).any(|window| window == tests), "{all:?} has no {tests:?}");
    }
}
