//! A small example is read in one sitting, and waits for events.

use super::Problem;
use super::files::{File, regex};

/// Lines of code: neither blank nor a comment.
const LIMIT: usize = 40;

/// A whole backend, which is longer.
const EXEMPT: &str = "examples/own_backend.rs";

/// Finds files directly in `examples/` that are too long or that sleep. Folders there are applications.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let small = regex(r"^examples/\w+\.rs$");
    let sleep = regex(r"\bsleep(?:_until)?\(");
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| small.is_match(&file.path) && file.path != EXEMPT) {
        let code = file.lines().map(|(number, line)| (number, line.split("//").next().unwrap_or_default()));
        let code: Vec<_> = code.filter(|(_, line)| !line.trim().is_empty()).collect();
        if let Some((number, _)) = code.get(LIMIT) {
            let count = code.len();
            let message = format!("{count} lines of code, {LIMIT} at most in a small example: show one idea");
            problems.push(Problem::new(&file.path, *number, message));
        }
        for (number, _) in code.iter().filter(|(_, line)| sleep.is_match(line)) {
            let message = "an example does not sleep: wait for an event, such as `queue.idle()` or a \
                           notification that the job sends";
            problems.push(Problem::new(&file.path, *number, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn an_example_above_the_limit_fails_and_comments_do_not_count() {
        let comments = "//! X.\n\n    // y\n".repeat(50);
        let text = |lines: usize| format!("{comments}{}", "x();\n".repeat(lines));

        assert_eq!(places(check, &[("examples/a.rs", &text(41))]), ["examples/a.rs:191"]);
        assert_eq!(places(check, &[("examples/a.rs", &text(40))]), [""; 0]);
        let long = text(41);
        let others = ["examples/stock/a.rs", "examples/tests/it/a.rs", "xtask/a.rs", EXEMPT];
        assert_eq!(places(check, &others.map(|path| (path, &*long))), [""; 0]);
    }

    #[test]
    fn an_example_that_sleeps_is_a_problem() {
        let text = "tokio::time::sleep(d).await;\n// sleep(d)\nscope.sleep(d);\nsleep_until(t);\nasleep();\n";

        let found = ["examples/a.rs:1", "examples/a.rs:3", "examples/a.rs:4"];
        assert_eq!(places(check, &[("examples/a.rs", text)]), found);
    }
}
