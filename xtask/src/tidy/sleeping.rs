//! Tests wait for events or move a clock; they never sleep, so that they are neither slow nor lucky.

use super::Problem;
use super::files::{File, regex};

/// Finds tests that sleep where neither the line nor a comment above it says `virtual`.
///
/// Clippy finds threads that sleep, anywhere.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let text = regex(r#""(?:[^"\\]|\\.)*""#);
    let call = regex(r"(?:\bfn +|\b)sleep(?:_until)?\(");
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let mut before = false;
        for (number, line) in file.test_lines() {
            let line = text.replace_all(line, "");
            let (code, comment) = line.split_once("//").unwrap_or((&line, ""));
            let calls = call.find_iter(code).any(|call| !call.as_str().starts_with("fn"));
            let is_virtual = before || comment.contains("virtual");
            if calls && !is_virtual {
                let message = "a test does not sleep: wait for the event (`Recorder`) or move the clock; \
                               if the time here is virtual, say so with `// virtual`";
                problems.push(Problem::new(&file.path, number, message));
            }
            before = code.trim().is_empty() && comment.contains("virtual");
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn found(path: &str, text: &str) -> Vec<String> {
        places(check, &[(path, text)])
    }

    #[test]
    fn a_test_that_sleeps_is_a_problem() {
        assert_eq!(found("a/tests/it/x.rs", "//! X.\ntokio::time::sleep(d).await;"), ["a/tests/it/x.rs:2"]);
        let inside = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { sleep_until(t); }\n}";
        assert_eq!(found("a/src/x.rs", inside), ["a/src/x.rs:4"]);
    }

    #[test]
    fn virtual_time_passes_if_the_line_says_so() {
        assert_eq!(found("a/tests/it/x.rs", "sleep(d).await; // virtual"), [""; 0]);
        assert_eq!(found("a/tests/it/x.rs", "// The time is virtual.\nsleep(d).await;"), [""; 0]);
        let second = "sleep(a).await; // virtual\nsleep(b).await;";
        assert_eq!(found("a/tests/it/x.rs", second), ["a/tests/it/x.rs:2"]);
    }

    #[test]
    fn programs_may_sleep_and_clocks_may_define_it() {
        assert_eq!(found("a/src/x.rs", "clock.sleep(d).await;"), [""; 0]);
        let harmless = "async fn sleep(&self) {}\nfn no_sleep() {} // sleep(1)\nlet a = \"\\\"sleep(1)\";";
        assert_eq!(found("a/tests/it/x.rs", harmless), [""; 0]);
    }
}
