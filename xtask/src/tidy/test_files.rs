//! The form of test files. cargo-shear checks that a `mod` line reaches each.

use super::Problem;
use super::files::File;

/// Finds UI tests without a message or a program, and test files that no test holds or that have no introduction.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let problem =
        |file| unpaired(files, file).or_else(|| homeless(files, file)).or_else(|| unintroduced(file));
    files.iter().filter_map(problem).collect()
}

/// Programs that must not compile without the message that they must give, and messages without a program.
fn unpaired(files: &[File], file: &File) -> Option<Problem> {
    let (stem, kind) = file.path.rsplit_once('.').filter(|(stem, _)| stem.contains("/tests/ui/fail/"))?;
    let (partner, message) = match kind {
        "rs" => ("stderr", "its message is not pinned: run its test with `TRYBUILD=overwrite`, and read it"),
        _ => ("rs", "no program gives this message any more: delete it"),
    };
    let partner = format!("{stem}.{partner}");
    let is_alone = files.iter().all(|file| file.path != partner);
    is_alone.then(|| Problem::new(&file.path, 1, message))
}

/// Returns the crate and the place in its tests, but none for programs, which tests compile by themselves.
fn split(file: &File) -> Option<(&str, &str)> {
    let (krate, inside) = file.path.split_once("/tests/").filter(|_| file.is_rust())?;
    let is_program = inside.starts_with("ui/") || inside.starts_with("crates/");
    (!is_program).then_some((krate, inside))
}

/// Files in a folder of tests without its `main.rs`.
fn homeless(files: &[File], file: &File) -> Option<Problem> {
    let (krate, inside) = split(file)?;
    let root = format!("{krate}/tests/{}/main.rs", inside.split_once('/')?.0);
    let is_missing = files.iter().all(|file| file.path != root);
    is_missing
        .then(|| Problem::new(&file.path, 1, format!("{root} is missing, so that nothing runs this file")))
}

/// Test files that do not open with what they hold the code to.
fn unintroduced(file: &File) -> Option<Problem> {
    split(file).filter(|_| !file.text.starts_with("//!"))?;
    Some(Problem::new(&file.path, 1, "open it with a `//!` line that says what it holds the code to"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_failing_program_and_its_message_come_in_pairs() {
        let files = [
            ("a/tests/ui/fail/both.rs", "fn f() {}"),
            ("a/tests/ui/fail/both.stderr", "error"),
            ("a/tests/ui/fail/gone.stderr", "error"),
            ("a/tests/ui/fail/new.rs", "fn f() {}"),
        ];

        assert_eq!(places(check, &files), ["a/tests/ui/fail/gone.stderr:1", "a/tests/ui/fail/new.rs:1"]);
    }

    #[test]
    fn a_test_file_opens_with_what_it_holds_the_code_to() {
        let files = [("a/tests/one.rs", "#[test]\nfn f() {}"), ("a/tests/ui/pass/two.rs", "fn f() {}")];

        assert_eq!(places(check, &files), ["a/tests/one.rs:1"]);
    }

    #[test]
    fn a_folder_without_its_main_is_a_problem() {
        let files =
            [("a/tests/it/main.rs", "//! M."), ("a/tests/it/b/c.rs", "//! B."), ("a/tests/x/c.rs", "//! C.")];

        assert_eq!(places(check, &files), ["a/tests/x/c.rs:1"]);
    }
}
