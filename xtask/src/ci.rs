//! `cargo xtask ci`: every check that a change must pass, in this order.

use std::time::Duration;

use test_servers::{Durability, Postgres};

use crate::steps::{Step, cargo};
use crate::workspace::Workspace;
use crate::{test, tidy, tools};

/// Examples that end by themselves with `--demo`; the others do so without.
const DEMOS: [&str; 2] = ["stock", "graceful_shutdown"];

/// The example that takes the URL of a server.
const ON_A_SERVER: &str = "postgres";

/// A program that hangs fails, rather than the whole run with it.
const LIMIT: Duration = Duration::from_secs(600);

/// Returns the list of checks: the quick ones first, so that a slip costs seconds.
pub(crate) fn steps(workspace: &Workspace) -> Vec<Step> {
    let clippy = cargo("clippy --workspace --all-targets --all-features -- -D warnings");
    let documentation =
        cargo("doc --workspace --no-deps --all-features").with_variable("RUSTDOCFLAGS", "-D warnings");
    // As most users build the crates. All other steps have every feature, and the testkit turns one on for itself.
    let no_features = cargo("check --package queue-tokio --package queue-sqlite --package queue-postgres");
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
        Step::cargo("no features", no_features, "something needs a feature that is off: see the error above"),
        Step::cargo("documentation", documentation, "mend each warning above"),
    ];
    // Exactly what `cargo xtask test` runs.
    steps.extend(test::steps(&[]));
    steps.extend(workspace.examples().iter().map(|name| example(name)));
    steps
}

/// Runs an example by the line that the README tells a reader to type.
fn example(name: &str) -> Step {
    let (title, remedy) = (format!("example {name}"), "an example ends by itself, and with success");
    if name == ON_A_SERVER {
        return Step::call(&title, run_on_a_server, remedy);
    }
    let demo = if DEMOS.contains(&name) { " -- --demo" } else { "" };
    let call = cargo(&format!("run --example {name}{demo}")).with_limit(LIMIT);
    Step::cargo(&title, call, remedy)
}

/// Runs the example with a private server, which stops with this step.
fn run_on_a_server(workspace: &Workspace) -> anyhow::Result<()> {
    let server = Postgres::start(Durability::Process, &[])?;
    let call = cargo(&format!("run --example {ON_A_SERVER}"));
    call.with_variable("DATABASE_URL", server.url("postgres")).with_limit(LIMIT).run(workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_and_every_example_that_is_a_program_is_a_step_of_its_own() {
        let titles = |steps: &[Step]| steps.iter().map(|step| step.title()).collect::<Vec<_>>();
        let all = titles(&steps(&Workspace::load().unwrap()));
        let tests = titles(&test::steps(&[]));

        assert!(all.windows(tests.len()).any(|window| window == tests), "{all:?} has no {tests:?}");
        let has = |title: &str| all.iter().filter(|other| other.contains(title)).count();
        assert_eq!(has("example hello: cargo run --example hello"), 1);
        assert_eq!(has("example stock: cargo run --example stock -- --demo"), 1);
        assert_eq!(has("example postgres"), 1, "with a server of its own");
        assert_eq!(has("example testing"), 0, "`cargo test` runs it");
    }
}
