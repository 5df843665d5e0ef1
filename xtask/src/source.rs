//! Rust source seen by line: what is code, what is comment, and what is compiled only for tests.
//!
//! The rules of `tidy` need no syntax tree.
//! They need to know that a word stands in code rather than in a string or a comment, and whether the line around
//! it reaches a user's program; both can be told from the text alone, in a file which does not compile, too.

mod lexer;
mod modules;
mod test_code;

pub(crate) use modules::Module;

/// One Rust file, line by line.
#[derive(Debug)]
pub(crate) struct Source {
    lines: Vec<Line>,
}

/// One line of a Rust file.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The code, with comments left out and the contents of strings blanked.
    pub(crate) code: String,
    /// The text of the line's comments, documentation included.
    pub(crate) comment: String,
    /// Whether the line belongs to an item that only tests (or the loom models) compile.
    pub(crate) in_test: bool,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = lexer::split(text);
        test_code::mark(&mut lines);
        Self { lines }
    }

    /// Each line with its number, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &Line)> {
        (1..).zip(&self.lines)
    }

    /// The `mod name;` lines, which say what other files belong to this one.
    pub(crate) fn modules(&self) -> Vec<Module> {
        modules::declared(&self.lines)
    }

    /// Says that the whole file is compiled only for tests, since the `mod` line that names it is.
    pub(crate) fn mark_all_as_test(&mut self) {
        for line in &mut self.lines {
            line.in_test = true;
        }
    }
}

/// Finds the first place in `code` where `word` stands by itself, not inside a longer identifier.
pub(crate) fn find_word(code: &str, word: &str) -> Option<usize> {
    code.match_indices(word).map(|(at, _)| at).find(|&at| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + word.len()..).and_then(|text| text.chars().next());
        let goes_on = word.ends_with(is_word) && after.is_some_and(is_word);
        !before.is_some_and(is_word) && !goes_on
    })
}

/// Whether a character may be part of an identifier.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_not_found_inside_a_longer_one() {
        assert_eq!(find_word("no_sleep(1); sleep(2)", "sleep("), Some(13));
        assert_eq!(find_word("claims", "claim"), None);
    }
}
