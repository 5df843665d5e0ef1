//! Tests wait for events or move a clock; they never sleep, so that they are neither slow nor lucky.

use super::{Problem, Project};
use crate::source::{Line, find_word};
use crate::tree::is_test_path;

const CALLS: [&str; 2] = ["sleep(", "sleep_until("];

/// Finds sleeping in tests. Clippy finds threads that sleep anywhere.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, source) in project.tree.sources() {
        let mut line_before: Option<&Line> = None;
        for (number, line) in source.lines() {
            let is_test = line.in_test || is_test_path(path);
            if is_test && sleeps(&line.code) && !is_virtual(line, line_before) {
                let message = "a test does not sleep: wait for the event (`Recorder`) or move the clock; \
                               if the time here is virtual, say so with `// virtual`";
                problems.push(Problem::new(path, number, message));
            }
            line_before = Some(line);
        }
    }
    problems
}

/// Whether the line calls a `sleep`; defining one, as a clock does, is no sleeping.
fn sleeps(code: &str) -> bool {
    CALLS.iter().any(|call| {
        find_word(code, call)
            .is_some_and(|at| !code.get(..at).is_some_and(|before| before.trim_end().ends_with("fn")))
    })
}

/// Whether the line, or a comment of its own above it, says that its time is virtual.
fn is_virtual(line: &Line, before: Option<&Line>) -> bool {
    let says_so = |line: &Line| find_word(&line.comment, "virtual").is_some();
    says_so(line) || before.is_some_and(|line| line.code.trim().is_empty() && says_so(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn found(path: &str, text: &str) -> Vec<String> {
        places(&check(&Project::of(&[(path, text)])))
    }

    #[test]
    fn a_test_that_sleeps_is_a_problem() {
        assert_eq!(found("a/tests/it/x.rs", "//! X.\ntokio::time::sleep(d).await;"), ["a/tests/it/x.rs:2"]);
        assert_eq!(
            found("a/src/x.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { sleep_until(t); }\n}"),
            ["a/src/x.rs:4"],
        );
    }

    #[test]
    fn virtual_time_passes_when_the_line_says_so() {
        assert_eq!(found("a/tests/it/x.rs", "sleep(d).await; // virtual"), [""; 0]);
        assert_eq!(found("a/tests/it/x.rs", "// The time is virtual.\nsleep(d).await;"), [""; 0]);
        assert_eq!(
            found("a/tests/it/x.rs", "sleep(a).await; // virtual\nsleep(b).await;"),
            ["a/tests/it/x.rs:2"]
        );
    }

    #[test]
    fn programs_may_sleep_by_their_clock_and_clocks_may_define_it() {
        assert_eq!(found("a/src/x.rs", "clock.sleep(d).await;"), [""; 0]);
        assert_eq!(found("a/tests/it/x.rs", "async fn sleep(&self) {}\nfn no_sleep() {}"), [""; 0]);
    }

    #[test]
    fn words_in_strings_and_comments_are_no_calls() {
        assert_eq!(found("a/tests/it/x.rs", "// no sleep(1)\nlet a = \"sleep(1)\";"), [""; 0]);
    }
}
