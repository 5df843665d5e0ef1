//! Words that no file keeps: code that is not written yet, tests that do not run, paths of somebody's machine.

use super::{Problem, Project};
use crate::source::find_word;

/// This file, which has to name them.
const EXEMPT: &str = "xtask/src/tidy/words.rs";

/// Each word, with what to do instead.
const WORDS: [(&str, &str); 9] = [
    ("todo!(", "write the code, or return an error that says what is not supported"),
    ("unimplemented!(", "write the code, or return an error that says what is not supported"),
    ("#[ignore", "run the test or delete it: a test that never runs proves nothing"),
    ("FIXME", "fix it, or open an issue and name it in a sentence"),
    ("XXX", "say in a full sentence what is to be known here"),
    ("/home/", "this path exists on one machine alone: make it relative to the root"),
    ("/root/", "this path exists on one machine alone: make it relative to the root"),
    ("/work/", "this path exists on one machine alone: make it relative to the root"),
    ("/Users/", "this path exists on one machine alone: make it relative to the root"),
];

/// Finds the words above in every text file.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, file) in project.tree.files().filter(|(path, _)| *path != EXEMPT) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let words = WORDS.iter().filter(|(word, _)| find_word(line, word).is_some());
            problems.extend(
                words.map(|(word, advice)| Problem::new(path, number, format!("`{word}`: {advice}"))),
            );
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn found(path: &str, text: &str) -> Vec<String> {
        places(&check(&Project::of(&[(path, text)])))
    }

    #[test]
    fn each_word_is_found_in_code_strings_and_prose() {
        for (word, _) in WORDS {
            assert_eq!(
                found("a/src/x.rs", &format!("fn a() {{}}\nlet b = \"{word}\";")),
                ["a/src/x.rs:2"],
                "{word}"
            );
            assert_eq!(found("README.md", &format!("See {word} there.")), ["README.md:1"], "{word}");
        }
    }

    #[test]
    fn longer_words_and_inner_folders_are_no_matches() {
        assert_eq!(found("README.md", "XXXL, src/work/x.rs, `ignore`, my_todo!(x)"), [""; 0]);
    }

    #[test]
    fn the_file_that_lists_them_may_name_them() {
        assert_eq!(found(EXEMPT, "todo!()"), [""; 0]);
    }
}
