//! Words that no file keeps: code that is not written yet, tests that do not run, paths of one machine.

use super::Problem;
use super::files::{File, regex};

/// This file, which has to name them.
const EXEMPT: &str = "xtask/src/tidy/words.rs";

const PATH: &str = "this path exists on one machine alone: make it relative to the root";

/// Each pattern, with what to do instead. Clippy finds the first three in code; here, prose and strings count too.
const WORDS: [(&str, &str); 4] = [
    (r"\b(?:todo|unimplemented)!\(", "write the code, or return an error that says what is not supported"),
    (r"#\[ignore", "run the test or delete it: a test that never runs proves nothing"),
    (r"\b(?:FIXME|XXX)\b", "fix it, or say in a full sentence what is to be known here"),
    (r"(?:^|\W)/(?:home|root|work|Users)/", PATH),
];

/// Finds the words above in every text file.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let words = WORDS.map(|(pattern, advice)| (regex(pattern), advice));
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path != EXEMPT) {
        for (number, line) in file.lines() {
            for (_, advice) in words.iter().filter(|(word, _)| word.is_match(line)) {
                problems.push(Problem::new(&file.path, number, format!("`{}`: {advice}", line.trim())));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn each_word_is_found_in_code_strings_and_prose() {
        let words = [
            "todo!(",
            "unimplemented!(",
            "#[ignore",
            "FIXME",
            "XXX",
            "/home/",
            "/root/",
            "/work/",
            "/Users/",
        ];
        for word in words {
            let code = format!("fn a() {{}}\nlet b = \"{word}\";");
            assert_eq!(places(check, &[("a/src/x.rs", &code)]), ["a/src/x.rs:2"], "{word}");
            assert_eq!(
                places(check, &[("README.md", &format!("See {word} there."))]),
                ["README.md:1"],
                "{word}"
            );
        }
    }

    #[test]
    fn longer_words_and_inner_folders_are_no_matches() {
        let files = [("README.md", "XXXL, src/work/x.rs, `ignore`, my_todo!(x)"), (EXEMPT, "todo!()")];

        assert_eq!(places(check, &files), [""; 0]);
    }
}
