//! The steps of `cargo xtask ci` and of `cargo xtask test`: every check that a change must pass, in this order.

use std::time::Duration;

use test_servers::{Durability, Postgres};

use crate::steps::{Step, cargo};
use crate::workspace::Workspace;
use crate::{servers, tidy, tools};

/// Examples that end by themselves with `--demo`; the others do so without.
const DEMOS: [&str; 2] = ["stock", "graceful_shutdown"];

/// A program that hangs fails, rather than the whole run with it.
const LIMIT: Duration = Duration::from_secs(900);

/// Returns the steps of `ci`: the quick ones first, then the tests, then each example.
pub(crate) fn steps(workspace: &Workspace) -> Vec<Step> {
    let clippy = cargo("clippy --workspace --all-targets --all-features -- -D warnings");
    // As most users build the crates. All other steps have every feature, and the testkit turns one on for itself.
    let no_features = cargo("check --package queue-tokio --package queue-sqlite --package queue-postgres");
    let documentation = cargo("doc --workspace --no-deps --all-features").with("RUSTDOCFLAGS", "-D warnings");
    let mut steps = vec![
        Step::call("format", cargo("fmt --all --check"), "run `cargo fmt --all`"),
        Step::new("tidy", tidy::run, "each problem above says what to do"),
        Step::new("dependencies", tools::deny, "use another crate or version, or give a reason in deny.toml"),
        Step::new("unused", tools::shear, "delete what is listed, or reach the file by a `mod` line"),
        Step::call("clippy", clippy, "mend each warning above"),
        Step::call("no features", no_features, "something needs a feature that is off: see the error above"),
        Step::call("documentation", documentation, "mend each warning above"),
    ];
    steps.extend(tests(&[]));
    steps.extend(workspace.examples.iter().map(|name| example(name)));
    steps
}

/// Returns the steps of `test`; with arguments, only `cargo test` with those.
pub(crate) fn tests(arguments: &[String]) -> Vec<Step> {
    let names_packages =
        arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package"));
    let scope = if names_packages { "test --all-features" } else { "test --workspace --all-features" };
    // Unit, integration and documentation tests; the UI tests of the macro are among the integration tests.
    let tests = cargo(scope).with_arguments(arguments);
    let name = if arguments.is_empty() { "tests" } else { "tests without the loom models and the torture" };
    let mut steps = vec![
        Step::new("servers", servers::ensure_installed, "the error says what to install"),
        Step::call(name, tests, "the first failure above names the test"),
    ];
    if arguments.is_empty() {
        // Not `cfg(loom)`: tokio would then lack what other tests use. The flag would rebuild everything in the common target
        // directory.
        let loom = cargo("test --package queue-tokio --lib loom --target-dir target/loom");
        // With more preemptions the models take minutes, and with any number hours.
        let loom = loom.with("RUSTFLAGS", "--cfg queue_loom").with("LOOM_MAX_PREEMPTIONS", "3");
        // Each takes about two minutes on a quiet machine.
        let torture = |form| cargo(&format!("run --package queue-torture -- {form}")).with_limit(LIMIT);
        let sqlite = torture("sqlite --kills 40 --limit-kills 15 --stops 12 --tick-kills 15");
        let postgres = torture(
            "postgres --kills 15 --limit-kills 10 --stops 6 --tick-kills 10 --rotations 2 --restores 1",
        );
        let remedy = "the output above names the seed, the folder that was kept and the rule";
        steps.extend([
            Step::call("loom models", loom, "the output above names the model and the interleaving"),
            Step::call("torture of sqlite", sqlite, remedy),
            Step::call("torture of postgres", postgres, remedy),
        ]);
    }
    steps
}

/// Runs an example by the line that the README tells a reader to type.
fn example(name: &str) -> Step {
    let (title, remedy) = (format!("example {name}"), "an example ends by itself, and with success");
    let demo = if DEMOS.contains(&name) { " -- --demo" } else { "" };
    let call = cargo(&format!("run --example {name}{demo}")).with_limit(LIMIT);
    if name == "postgres" { Step::new(&title, on_a_server, remedy) } else { Step::call(&title, call, remedy) }
}

/// Runs the example that takes the URL of a server with a private one, which stops with this step.
fn on_a_server(workspace: &Workspace) -> anyhow::Result<()> {
    let server = Postgres::start(Durability::Process, &[])?;
    let call = cargo("run --example postgres").with("DATABASE_URL", server.url("postgres"));
    call.with_limit(LIMIT).run(workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(steps: Vec<Step>) -> Vec<String> {
        steps.into_iter().map(|step| step.title).collect()
    }

    /// D2, D3, D4, D5, D8: The program that holds durable queues to them is run with every test.
    #[test]
    fn every_test_and_every_example_that_is_a_program_is_a_step_of_its_own() {
        let all = titles(steps(&Workspace::load().unwrap()));

        let tests = titles(tests(&[]));
        assert!(all.windows(tests.len()).any(|window| window == tests), "{all:?} has no {tests:?}");
        for (step, times) in [
            ("tests: cargo test --workspace --all-features", 1),
            ("cargo test --package queue-tokio --lib loom", 1),
            ("torture of sqlite: cargo run --package queue-torture -- sqlite --kills ", 1),
            ("torture of postgres: cargo run --package queue-torture -- postgres --kills ", 1),
            ("example hello: cargo run --example hello", 1),
            ("example stock: cargo run --example stock -- --demo", 1),
            ("example postgres", 1),
            // `cargo test` runs it.
            ("example testing", 0),
        ] {
            assert_eq!(all.iter().filter(|title| title.contains(step)).count(), times, "{step}: {all:?}");
        }
    }

    #[test]
    fn arguments_narrow_the_tests_to_cargo_test() {
        let arguments = ["-p", "queue-core"].map(str::to_owned);
        let [servers, tests] = &titles(super::tests(&arguments))[..] else { panic!("more than two steps") };

        assert_eq!(servers, "servers");
        assert!(tests.ends_with(": cargo test --all-features -p queue-core"), "{tests}");
    }
}
