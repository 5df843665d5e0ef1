//! How long a file may be: one noun a file, read in one sitting.

use super::{Problem, Project};
use crate::source::Source;
use crate::tree::is_test_path;

/// Above this, a file fails.
const LIMIT: usize = 500;

/// Above this, a file is worth a thought.
const THOUGHT: usize = 300;

/// Finds files that are too long, their tests not counted.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let files = project.tree.sources().filter(|(path, _)| !is_test_path(path));
    files.filter_map(|(path, source)| judge(path, length(source))).collect()
}

fn length(source: &Source) -> usize {
    source.lines().filter(|(_, line)| !line.in_test).count()
}

fn judge(path: &str, length: usize) -> Option<Problem> {
    if length > LIMIT {
        let message = format!("{length} lines without its tests, {LIMIT} at most: split it by noun");
        Some(Problem::new(path, LIMIT + 1, message))
    } else if length > THOUGHT {
        let message = format!("{length} lines without its tests: does it hold one noun?");
        Some(Problem::advice(path, THOUGHT + 1, message))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Weight;

    fn found(path: &str, lines: usize, test_lines: usize) -> Vec<Weight> {
        let tests = format!("#[cfg(test)]\nmod tests {{{}\n}}", "\n// x".repeat(test_lines));
        let text = format!("{}{tests}", "// x\n".repeat(lines));
        check(&Project::of(&[(path, &text)])).iter().map(|problem| problem.weight).collect()
    }

    #[test]
    fn a_file_above_the_limit_fails() {
        assert_eq!(found("a/src/lib.rs", 501, 0), [Weight::Failure]);
    }

    #[test]
    fn a_file_above_the_thought_is_advice_only() {
        assert_eq!(found("a/src/lib.rs", 301, 0), [Weight::Advice]);
        assert_eq!(found("a/src/lib.rs", 300, 0), []);
    }

    #[test]
    fn tests_do_not_count() {
        assert_eq!(found("a/src/lib.rs", 10, 600), []);
        assert_eq!(found("a/tests/it/long.rs", 600, 0), []);
    }
}
