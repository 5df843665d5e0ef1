//! What each manifest of the project says, which no tool checks.

use super::{Problem, Project};
use crate::workspace::{Crate, Dependency};

/// Finds members without the workspace's lints, and dev-dependencies that would stop a release.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let mut problems = without_lints(project);
    problems.extend(versioned(project));
    problems
}

/// Finds members whose manifest does not say `[lints] workspace = true`: cargo warns of none.
fn without_lints(project: &Project) -> Vec<Problem> {
    let members = project.crates.iter().filter(|krate| !krate.is_fixture());
    let without = members.filter(|krate| {
        let text = project.tree.get(&krate.manifest).map_or("", |file| file.text.as_str());
        !takes_lints(text)
    });
    let message = "the workspace's lints do not hold here: add `[lints]` with `workspace = true`";
    without.map(|krate| Problem::new(&krate.manifest, 1, message)).collect()
}

/// Finds dev-dependencies on crates of the project that carry a version.
///
/// They form cycles. Cargo leaves out those without a version when it publishes, and so publishes each crate alone.
fn versioned(project: &Project) -> Vec<Problem> {
    let is_ours = |dependency: &&Dependency| project.crates.iter().any(|krate| krate.name == dependency.name);
    let problems_of = |krate: &Crate| {
        let dependencies = krate.dependencies.iter().filter(|dependency| dependency.is_for_tests);
        let versioned =
            dependencies.filter(is_ours).filter(|dependency| !dependency.has_path || dependency.has_version);
        let problems = versioned.map(|Dependency { name, .. }| {
            let message = format!(
                "a dev-dependency on a crate of the project has a path and no version: write `{name} = {{ path = \"../{name}\" }}`"
            );
            Problem::new(&krate.manifest, 1, message)
        });
        problems.collect::<Vec<_>>()
    };
    project.crates.iter().flat_map(problems_of).collect()
}

fn takes_lints(manifest: &str) -> bool {
    let mut section = "";
    for line in manifest.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.starts_with('[') {
            section = line;
        }
        let words: String = line.split_whitespace().collect();
        if (section == "[lints]" && words == "workspace=true") || words == "lints.workspace=true" {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;
    use crate::workspace::Crate;

    fn krate(manifest: &str, dependencies: Vec<Dependency>) -> Crate {
        Crate { name: "a".to_owned(), manifest: manifest.to_owned(), dependencies, examples: Vec::new() }
    }

    fn found(manifest: &str, text: &str) -> Vec<String> {
        let mut project = Project::of(&[(manifest, text)]);
        project.crates = vec![krate(manifest, Vec::new())];
        places(&check(&project))
    }

    fn found_in_tests(has_path: bool, has_version: bool) -> usize {
        let mut project = Project::of(&[("a/Cargo.toml", "lints.workspace = true")]);
        let dependency = Dependency { name: "a".to_owned(), is_for_tests: true, has_path, has_version };
        project.crates = vec![krate("a/Cargo.toml", vec![dependency])];
        check(&project).len()
    }

    #[test]
    fn a_manifest_that_takes_the_lints_is_fine() {
        assert_eq!(found("a/Cargo.toml", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"), [""; 0]);
        assert_eq!(found("a/Cargo.toml", "lints.workspace = true\n"), [""; 0]);
    }

    #[test]
    fn a_manifest_without_them_is_a_problem() {
        assert_eq!(found("a/Cargo.toml", "[package]\nname = \"a\"\n"), ["a/Cargo.toml:1"]);
        assert_eq!(
            found("a/Cargo.toml", "[lints]\n# workspace = true\n[x]\nworkspace = true"),
            ["a/Cargo.toml:1"]
        );
    }

    #[test]
    fn a_fixture_needs_none() {
        assert_eq!(found("queue-macros/tests/crates/a/Cargo.toml", ""), [""; 0]);
    }

    #[test]
    fn a_dev_dependency_with_a_version_is_a_problem() {
        assert_eq!(found_in_tests(true, false), 0);
        assert_eq!(found_in_tests(true, true), 1);
        assert_eq!(found_in_tests(false, true), 1);
    }
}
