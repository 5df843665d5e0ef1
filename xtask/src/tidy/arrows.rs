//! Which crate may use which: the arrows between the project's crates go one way.

use super::{Problem, Project};
use crate::workspace::{Crate, Dependency, Kind};

/// What each crate may use of ours.
///
/// Arrows of dev-dependencies may form a cycle, since they are no part of what is published.
const ARROWS: [Arrows; 10] = [
    Arrows { from: "queue-macros", to: &[], in_tests: &["queue-core", "queue-tokio", "queue-testkit"] },
    Arrows { from: "queue-core", to: &["queue-macros"], in_tests: &["queue-testkit"] },
    Arrows { from: "queue-testkit", to: &["queue-core"], in_tests: &["queue-tokio"] },
    Arrows {
        from: "queue-tokio",
        to: &["queue-core"],
        in_tests: &["queue-postgres", "queue-sqlite", "queue-testkit", "test-servers"],
    },
    Arrows { from: "queue-sqlite", to: &["queue-core"], in_tests: &["queue-testkit", "queue-tokio"] },
    Arrows {
        from: "queue-postgres",
        to: &["queue-core"],
        in_tests: &["queue-testkit", "queue-tokio", "test-servers"],
    },
    Arrows { from: "test-servers", to: &[], in_tests: &[] },
    Arrows {
        from: "queue-examples",
        to: &["queue-core", "queue-postgres", "queue-sqlite", "queue-tokio"],
        in_tests: &["queue-testkit", "test-servers"],
    },
    Arrows {
        from: "queue-torture",
        to: &["queue-core", "queue-postgres", "queue-sqlite", "queue-tokio", "queue-testkit", "test-servers"],
        in_tests: &[],
    },
    Arrows { from: "xtask", to: &["test-servers"], in_tests: &[] },
];

/// What the little programs that the macro's tests build may use.
const FIXTURE: Arrows = Arrows { from: "a fixture", to: &["queue-core", "queue-tokio"], in_tests: &[] };

struct Arrows {
    from: &'static str,
    /// As a normal or build dependency.
    to: &'static [&'static str],
    /// As a dev-dependency, besides.
    in_tests: &'static [&'static str],
}

impl Arrows {
    fn allow(&self, dependency: &Dependency) -> bool {
        let name = dependency.name.as_str();
        let in_tests = dependency.kind == Kind::Development && self.in_tests.contains(&name);
        in_tests || self.to.contains(&name)
    }

    fn of(krate: &Crate) -> Option<&'static Self> {
        if krate.is_fixture() {
            Some(&FIXTURE)
        } else {
            ARROWS.iter().find(|arrows| arrows.from == krate.name)
        }
    }
}

/// Finds arrows that point the wrong way, and internal dev-dependencies that would stop a release.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let ours = |dependency: &&Dependency| project.crates.iter().any(|krate| krate.name == dependency.name);
    let mut problems = Vec::new();
    for krate in &project.crates {
        let Some(arrows) = Arrows::of(krate) else {
            let message =
                format!("`{}` has no arrows: add a row for it to xtask/src/tidy/arrows.rs", krate.name);
            problems.push(Problem::new(&krate.manifest, 1, message));
            continue;
        };
        for dependency in krate.dependencies.iter().filter(ours) {
            let line = project.line_of(&krate.manifest, &dependency.name);
            let mut problem = |message| problems.push(Problem::new(&krate.manifest, line, message));
            if !arrows.allow(dependency) {
                problem(wrong_way(krate, dependency, arrows));
            }
            if dependency.kind == Kind::Development && (!dependency.has_path || dependency.has_version) {
                problem(format!(
                    "a dev-dependency on one of our crates carries a path and no version: write `{0} = {{ path = \"../{0}\" }}`",
                    dependency.name,
                ));
            }
        }
    }
    problems
}

fn wrong_way(krate: &Crate, dependency: &Dependency, arrows: &Arrows) -> String {
    let (kind, allowed) = match dependency.kind {
        Kind::Normal => ("use", arrows.to.to_vec()),
        Kind::Development => ("use in tests", [arrows.to, arrows.in_tests].concat()),
    };
    let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
    format!(
        "`{}` may not {kind} `{}` (of our crates it may: {allowed}): move the code to where the arrows allow it",
        krate.name, dependency.name,
    )
}

impl Project {
    /// The first line of a manifest which begins with `name`; the first line of all if there is none.
    fn line_of(&self, manifest: &str, name: &str) -> usize {
        let text = self.tree.get(manifest).map_or("", |file| file.text.as_str());
        text.lines().position(|line| line.trim_start().starts_with(name)).map_or(1, |at| at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn dependency(name: &str, kind: Kind) -> Dependency {
        Dependency { name: name.to_owned(), kind, has_path: true, has_version: kind == Kind::Normal }
    }

    fn krate(name: &str, dependencies: Vec<Dependency>) -> Crate {
        Crate {
            name: name.to_owned(),
            manifest: format!("{name}/Cargo.toml"),
            dependencies,
            examples: Vec::new(),
        }
    }

    fn found(crates: Vec<Crate>) -> Vec<Problem> {
        let mut project =
            Project::of(&[("queue-core/Cargo.toml", "[dependencies]\nserde = \"1\"\nqueue-tokio = {}")]);
        let bystanders = ["queue-macros", "queue-tokio", "queue-testkit"].map(|name| krate(name, Vec::new()));
        project.crates = crates.into_iter().chain(bystanders).collect();
        check(&project)
    }

    #[test]
    fn arrows_of_the_table_are_allowed() {
        let arrows =
            vec![dependency("queue-macros", Kind::Normal), dependency("queue-testkit", Kind::Development)];

        assert_eq!(found(vec![krate("queue-core", arrows)]), []);
    }

    #[test]
    fn an_arrow_the_wrong_way_is_a_problem_at_its_line() {
        let problems = found(vec![krate("queue-core", vec![dependency("queue-tokio", Kind::Normal)])]);

        assert_eq!(places(&problems), ["queue-core/Cargo.toml:3"]);
        assert!(problems[0].message.contains("may not use `queue-tokio`"), "{}", problems[0].message);
    }

    #[test]
    fn an_arrow_for_tests_is_none_for_programs() {
        assert_eq!(
            found(vec![krate("queue-core", vec![dependency("queue-testkit", Kind::Normal)])]).len(),
            1
        );
    }

    #[test]
    fn a_dev_dependency_with_a_version_is_a_problem() {
        let versioned = Dependency { has_version: true, ..dependency("queue-testkit", Kind::Development) };

        assert_eq!(found(vec![krate("queue-core", vec![versioned])]).len(), 1);
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_a_problem() {
        assert_eq!(places(&found(vec![krate("queue-paper", Vec::new())])), ["queue-paper/Cargo.toml:1"]);
    }

    #[test]
    fn a_fixture_may_use_core_and_tokio() {
        let mut fixture = krate("renamed", vec![dependency("queue-tokio", Kind::Normal)]);
        fixture.manifest = "queue-macros/tests/crates/renamed/Cargo.toml".to_owned();

        assert_eq!(found(vec![fixture]), []);
    }
}
