//! Finds the laws that tests name.

use std::collections::BTreeMap;

use super::list::parse_name;
use crate::source::{Line, is_word};
use crate::tree::{Tree, is_test_path};

/// What stands between the first and the last law of a range.
const RANGE_MARKS: [&str; 4] = ["–", "—", "-", ".."];

/// Where a law is named first.
#[derive(Debug)]
pub(super) struct Mention {
    pub(super) file: String,
    pub(super) line: usize,
}

/// The laws named in comments of test code, and in the code of `laws!` lists.
pub(super) fn find(tree: &Tree) -> BTreeMap<String, Mention> {
    let mut mentions = BTreeMap::new();
    for (path, source) in tree.sources() {
        let mut list = List::default();
        for (number, line) in source.lines() {
            let listed = list.part_of(line);
            if !line.in_test && !is_test_path(path) {
                continue;
            }
            let named = names(&line.comment).into_iter().chain(names(&listed));
            for name in named.map(str::to_owned).chain(function_names(&listed)) {
                let mention = || Mention { file: path.to_owned(), line: number };
                mentions.entry(name).or_insert_with(mention);
            }
        }
    }
    mentions
}

/// The laws that a text names as words of their own; a range (`Q1–Q57`) names none, for it tests none.
fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let before = text.get(..text.len() - rest.len() + start).unwrap_or("");
        let (_, from_word) = rest.split_at(start);
        let end = from_word.find(|character| !is_word(character));
        let (word, after) = from_word.split_at(end.unwrap_or(from_word.len()));
        if parse_name(word).is_some() && !is_range(before, after) {
            names.push(word);
        }
        rest = after;
    }
    names
}

/// The laws that functions of a list are named for: `q23_past_its_expiry_a_lease_is_void` is a test of Q23.
fn function_names(list: &str) -> impl Iterator<Item = String> {
    let words = list.split(|character| !is_word(character));
    let names = words.filter_map(|word| Some(word.split_once('_')?.0.to_uppercase()));
    names.filter(|name| parse_name(name).is_some())
}

/// Whether a name between these two texts is the first or the last of a range.
fn is_range(before: &str, after: &str) -> bool {
    RANGE_MARKS.iter().any(|mark| {
        let follows = before.trim_end().strip_suffix(mark).is_some_and(ends_with_name);
        let leads = after.trim_start().strip_prefix(mark).is_some_and(starts_with_name);
        follows || leads
    })
}

fn ends_with_name(text: &str) -> bool {
    text.trim_end().rsplit(|character| !is_word(character)).next().and_then(parse_name).is_some()
}

fn starts_with_name(text: &str) -> bool {
    text.trim_start().split(|character| !is_word(character)).next().and_then(parse_name).is_some()
}

/// Follows the inside of a `laws!` call over its lines.
#[derive(Default)]
struct List {
    depth: usize,
}

impl List {
    /// What of the line's code is inside of the call.
    fn part_of(&mut self, line: &Line) -> String {
        let mut inside = String::new();
        let code = match line.code.split_once("laws!") {
            Some((_, call)) if self.depth == 0 => call,
            Some(_) => &line.code,
            None if self.depth == 0 => return inside,
            None => &line.code,
        };
        for character in code.chars() {
            match character {
                '(' | '[' | '{' => self.depth += 1,
                ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth > 0 {
                inside.push(character);
            }
        }
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        find(&Tree::of(&[(path, text)])).into_keys().collect()
    }

    #[test]
    fn comments_of_test_code_name_laws() {
        assert_eq!(found("a/tests/it/x.rs", "/// Q1 and (Q23).\nfn a() {} // H2"), ["H2", "Q1", "Q23"]);
        assert_eq!(found("a/src/x.rs", "/// Q1\nfn a() {}\n#[cfg(test)]\nmod tests {\n    // Q2\n}"), ["Q2"]);
        assert_eq!(found("queue-testkit/src/conformance/push.rs", "/// Q3"), ["Q3"]);
    }

    #[test]
    fn lists_of_laws_name_them_in_code() {
        let text = "laws! {\n    Q1 => one,\n    Q2: [two],\n}\nstruct Q3;";

        assert_eq!(found("a/tests/it/x.rs", text), ["Q1", "Q2"]);
        assert_eq!(found("a/tests/it/x.rs", "laws![Q4, Q5]; let Q6 = 1;"), ["Q4", "Q5"]);
    }

    #[test]
    fn code_and_strings_name_none() {
        assert_eq!(found("a/tests/it/x.rs", "struct T1; let s = \"Q1\";"), [""; 0]);
    }

    #[test]
    fn a_range_names_none() {
        assert_eq!(names("the laws Q1–Q57, H1 - H28 and S1..S8, then T3"), ["T3"]);
        assert_eq!(names("- Q5 waits - then wakes"), ["Q5"]);
    }
}
