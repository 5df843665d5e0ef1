//! The rules for manifests that no standard tool checks.

use super::Problem;
use super::files::{File, regex};

/// Programs of users, and of peers.
const FIXTURES: [&str; 2] = ["queue-macros/tests/crates/", "bench/peers/"];

/// Finds crates without the workspace's lints, and dev-dependencies that would stop a release.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let manifests = files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    let takes_lints = regex(r"(?m)^(?:\[lints\]\s*\nworkspace|lints\.workspace)\s*=\s*true");
    let mut problems = Vec::new();
    let is_fixture = |path: &str| FIXTURES.iter().any(|fixture| path.starts_with(fixture));
    for File { path, text, .. } in manifests.filter(|file| !is_fixture(&file.path)) {
        if text.contains("[package]") && !takes_lints.is_match(text) {
            let message = "the workspace's lints do not hold here: add `[lints]` with `workspace = true`";
            problems.push(Problem::new(path, 1, message));
        }
        problems.extend(versioned(text).into_iter().map(|line| {
            let message = "a dev-dependency on a crate of the project has a path and no version: \
                           `queue-x = { path = \"../queue-x\" }`";
            Problem::new(path, line, message)
        }));
    }
    problems
}

/// Finds the lines of dev-dependencies on published crates of the project that carry a version.
///
/// They form cycles. Cargo leaves out those without a version when it publishes, and so publishes each crate alone.
fn versioned(manifest: &str) -> Vec<usize> {
    let mut section = "";
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(manifest.lines()) {
        if line.starts_with('[') {
            section = line;
        }
        let is_ours = section.contains("dev-dependencies") && line.contains("queue-");
        if is_ours && (!line.contains("path = ") || line.contains("version")) {
            lines.push(number);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_manifest_without_the_lints_is_a_problem_save_a_fixture() {
        let found = |path: &str, text: &str| places(check, &[(path, &format!("[package]\n{text}"))]).len();

        assert_eq!(found("a/Cargo.toml", "name = \"a\"\n\n[lints]\nworkspace = true\n"), 0);
        assert_eq!(found("a/Cargo.toml", "lints.workspace = true\n"), 0);
        assert_eq!(found("a/Cargo.toml", "name = \"a\"\n"), 1);
        assert_eq!(found("a/Cargo.toml", "[lints]\n# workspace = true\n[x]\nworkspace = true"), 1);
        assert_eq!(found("queue-macros/tests/crates/a/Cargo.toml", ""), 0);
    }

    #[test]
    fn a_dev_dependency_with_a_version_is_a_problem() {
        let manifest = "queue-core = \"1\"\n[dev-dependencies]\nqueue-a = { path = \"../queue-a\" }\n\
                        queue-b.workspace = true\nc = { package = \"queue-c\", path = \"..\", version = \"1\" }\n";

        assert_eq!(places(check, &[("a/Cargo.toml", manifest)]), ["a/Cargo.toml:4", "a/Cargo.toml:5"]);
    }
}
