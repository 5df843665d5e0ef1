//! `cargo xtask torture`: a durable queue's processes killed at random, its disk filled, its file spoilt.

use std::time::Duration;

use crate::cargo::{Cargo, cargo};
use crate::steps::Step;
use crate::workspace::Workspace;

/// The forms that every change must pass: each takes about a minute and a half on a quiet machine.
const SHORT: [&str; 2] =
    ["sqlite --kills 40 --stops 12", "postgres --kills 15 --stops 6 --rotations 2 --restores 1"];

/// A queue that hangs fails, rather than the whole run with it.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs the torture as long as the arguments say, as fast as it can be.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    long(arguments).run(workspace)
}

/// The short forms, built as the tests are.
pub(crate) fn steps() -> impl Iterator<Item = Step> {
    SHORT.into_iter().map(|form| {
        let queue = form.split(' ').next().unwrap_or_default();
        let call = cargo(&format!("run --package queue-torture -- {form}")).with_limit(LIMIT);
        let remedy = "the output above names the seed, the folder that was kept and the rule";
        Step::cargo(&format!("torture of {queue}"), call, remedy)
    })
}

fn long(arguments: &[String]) -> Cargo {
    cargo("run --release --package queue-torture --").with_arguments(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D2, D3, D4, D5, D8: The program that holds durable queues to them is run with every test.
    #[test]
    fn the_short_forms_kill_in_mid_load_with_every_test() {
        let names: Vec<String> = crate::test::steps(&[]).into_iter().map(|step| step.name).collect();

        for step in steps() {
            assert!(names.contains(&step.name), "{names:?}");
        }
        assert!(SHORT.iter().all(|form| form.contains(" --kills ")), "{SHORT:?}");
    }

    #[test]
    fn the_arguments_are_passed_on_to_a_release_build() {
        let arguments = ["sqlite", "--minutes", "10"].map(str::to_owned);

        assert_eq!(
            long(&arguments).to_string(),
            "cargo run --release --package queue-torture -- sqlite --minutes 10"
        );
    }
}
