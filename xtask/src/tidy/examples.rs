//! Every example is run by `cargo xtask ci`: a program that nobody runs stops working.

use super::{Problem, Project};
use crate::examples::{PROGRAMS, TESTS};

/// The crate that holds the examples.
const CRATE: &str = "queue-examples";

/// Finds examples that are not run, and runs of examples that do not exist.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let Some(krate) = project.crates.iter().find(|krate| krate.name == CRATE) else {
        return Vec::new();
    };
    let run: Vec<&str> = PROGRAMS.iter().map(|program| program.name).chain(TESTS).collect();
    let unknown = krate.examples.iter().filter(|name| !run.contains(&name.as_str()));
    let gone = run.iter().filter(|name| !krate.examples.iter().any(|example| example == *name));
    let unknown = unknown.map(|name| format!("nothing runs `{name}`: add it to xtask/src/examples.rs"));
    let gone = gone.map(|name| {
        format!("no example `{name}`, which xtask/src/examples.rs runs: add it, or delete its row")
    });
    unknown.chain(gone).map(|message| Problem::new(&krate.manifest, 1, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Crate;

    fn found(examples: Vec<String>) -> Vec<String> {
        let mut project = Project::of(&[]);
        project.crates = vec![Crate {
            name: CRATE.to_owned(),
            manifest: "examples/Cargo.toml".to_owned(),
            dependencies: Vec::new(),
            examples,
        }];
        check(&project).iter().map(ToString::to_string).collect()
    }

    fn all() -> Vec<String> {
        PROGRAMS.iter().map(|program| program.name).chain(TESTS).map(str::to_owned).collect()
    }

    #[test]
    fn examples_that_are_all_run_are_fine() {
        assert_eq!(found(all()), [""; 0]);
    }

    #[test]
    fn an_example_that_nothing_runs_is_a_problem() {
        let problems = found(all().into_iter().chain(["forgotten".to_owned()]).collect());

        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("nothing runs `forgotten`"), "{}", problems[0]);
    }

    #[test]
    fn a_row_without_its_example_is_a_problem() {
        let problems = found(all().into_iter().skip(1).collect());

        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("no example"), "{}", problems[0]);
    }
}
