//! No forgotten test: a file that no `mod` line reaches is never compiled, and nothing else would say so.

use std::collections::BTreeSet;

use super::{Problem, Project};

/// Finds test files that nothing runs, or that do not say what they hold the code to.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let mut problems = unreached(project);
    problems.extend(unpaired(project));
    problems.extend(unintroduced(project));
    problems
}

/// Files of an integration test that its `main.rs` does not reach.
fn unreached(project: &Project) -> Vec<Problem> {
    let is_it = |path: &&str| path.contains("/tests/it/") && path.ends_with(".rs");
    let files: Vec<&str> = project.tree.paths().filter(is_it).collect();
    let roots: BTreeSet<String> = files.iter().filter_map(|path| root_of(path)).collect();
    let reached: BTreeSet<String> = roots.iter().flat_map(|root| project.tree.reached_from(root)).collect();
    let forgotten = files.iter().filter(|path| !reached.contains(**path));
    let mut problems: Vec<Problem> = forgotten
        .map(|path| Problem::new(path, 1, "no `mod` line reaches this file from tests/it/main.rs: add one"))
        .collect();
    let missing = roots.iter().filter(|root| project.tree.get(root).is_none());
    problems.extend(
        missing.map(|root| Problem::new(root, 1, "missing, so that no file beside it is run: add it")),
    );
    problems
}

fn root_of(path: &str) -> Option<String> {
    let (krate, _) = path.split_once("/tests/it/")?;
    Some(format!("{krate}/tests/it/main.rs"))
}

/// Programs that must not compile without the message that they must give, and messages without a program.
fn unpaired(project: &Project) -> Vec<Problem> {
    let files = project.tree.paths().filter(|path| path.contains("/tests/ui/fail/"));
    let problems = files.filter_map(|path| {
        let (stem, kind) = path.rsplit_once('.')?;
        let (partner, message) = match kind {
            "rs" => (
                "stderr",
                "its message is not pinned: run its test with `TRYBUILD=overwrite`, and read the result",
            ),
            "stderr" => ("rs", "no program gives this message any more: delete it"),
            _ => return None,
        };
        let alone = project.tree.get(&format!("{stem}.{partner}")).is_none();
        alone.then(|| Problem::new(path, 1, message))
    });
    problems.collect()
}

/// Test files that do not open with what they hold the code to; a program of a UI test says it by its name.
fn unintroduced(project: &Project) -> Vec<Problem> {
    let is_test = |path: &str| {
        let inside = path.split_once("/tests/").map(|(_, inside)| inside);
        inside.is_some_and(|inside| !inside.starts_with("ui/") && !inside.starts_with("crates/"))
    };
    let files = project.tree.files().filter(|(path, file)| is_test(path) && file.source.is_some());
    files
        .filter(|(_, file)| !file.text.starts_with("//!"))
        .map(|(path, _)| {
            Problem::new(path, 1, "open it with a `//!` line that says what it holds the code to")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        places(&check(&Project::of(files)))
    }

    #[test]
    fn a_file_that_no_mod_line_reaches_is_a_problem() {
        let files = [
            ("a/tests/it/main.rs", "//! M.\nmod push;"),
            ("a/tests/it/push.rs", "//! P.\nmod batch;"),
            ("a/tests/it/push/batch.rs", "//! B."),
            ("a/tests/it/claim.rs", "//! C."),
        ];

        assert_eq!(found(&files), ["a/tests/it/claim.rs:1"]);
    }

    #[test]
    fn a_folder_without_its_main_is_a_problem() {
        assert_eq!(
            found(&[("a/tests/it/claim.rs", "//! C.")]),
            ["a/tests/it/claim.rs:1", "a/tests/it/main.rs:1"],
        );
    }

    #[test]
    fn a_failing_program_and_its_message_come_in_pairs() {
        let files = [
            ("a/tests/ui/fail/both.rs", "fn f() {}"),
            ("a/tests/ui/fail/both.stderr", "error"),
            ("a/tests/ui/fail/gone.stderr", "error"),
            ("a/tests/ui/fail/new.rs", "fn f() {}"),
        ];

        assert_eq!(found(&files), ["a/tests/ui/fail/gone.stderr:1", "a/tests/ui/fail/new.rs:1"]);
    }

    #[test]
    fn a_test_file_opens_with_what_it_holds_the_code_to() {
        let files = [("a/tests/one.rs", "#[test]\nfn f() {}"), ("a/tests/ui/pass/two.rs", "fn f() {}")];

        assert_eq!(found(&files), ["a/tests/one.rs:1"]);
    }
}
