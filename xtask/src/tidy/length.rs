//! How long a file may be: one noun a file, read in one sitting.

use super::Problem;
use super::files::File;

const LIMIT: usize = 500;

/// Finds files that are too long, their tests not counted.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let long = files.iter().filter(|file| file.is_rust() && file.length > LIMIT);
    let problem = |File { path, length, .. }: &File| {
        let message = format!("{length} lines without its tests, {LIMIT} at most: split it by noun");
        Problem::new(path, LIMIT + 1, message)
    };
    long.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_file_above_the_limit_fails_and_tests_do_not_count() {
        let text = |lines: usize| {
            let tests = "// x\n".repeat(600);
            format!("{}#[cfg(test)]\nmod tests {{\n{tests}}}\n", "// x\n".repeat(lines))
        };

        assert_eq!(places(check, &[("a/src/lib.rs", &text(501))]), ["a/src/lib.rs:501"]);
        assert_eq!(places(check, &[("a/src/lib.rs", &text(500)), ("a/tests/it/x.rs", &text(501))]), [""; 0]);
    }
}
