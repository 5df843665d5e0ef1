//! Finds the items of a file which only tests, or the loom models, compile.

use super::{Line, find_word, is_word};

/// What an item can begin with; a field or a statement under `#[cfg(test)]` is too small to matter.
const ITEM_WORDS: [&str; 16] = [
    "mod",
    "fn",
    "impl",
    "use",
    "struct",
    "enum",
    "const",
    "static",
    "trait",
    "type",
    "pub",
    "async",
    "unsafe",
    "extern",
    "macro_rules",
    "thread_local",
];

/// Marks the lines of every item under `#[cfg(test)]` or `#[cfg(loom)]`; under `#![cfg(test)]`, the whole file.
pub(super) fn mark(lines: &mut [Line]) {
    let code: String = lines.iter().flat_map(|line| [line.code.as_str(), "\n"]).collect();
    let line_of = |at: usize| code.bytes().take(at).filter(|&byte| byte == b'\n').count();
    let whole_file = attributes(&code, "#![cfg(").next().map(|_| (0, lines.len()));
    let items = attributes(&code, "#[cfg(").filter_map(|(start, end)| {
        let last = end + item_length(code.get(end..)?)?;
        Some((line_of(start), line_of(last) + 1))
    });
    let regions: Vec<(usize, usize)> = items.chain(whole_file).collect();
    for (first, end) in regions {
        for line in lines.iter_mut().take(end).skip(first) {
            line.in_test = true;
        }
    }
}

/// Where each attribute that begins with `opening` and leaves its item to tests starts and ends.
fn attributes<'a>(code: &'a str, opening: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    code.match_indices(opening).filter_map(move |(start, _)| {
        let inside = start + opening.len();
        let length = group_length(code.get(inside..)?)?;
        let condition = code.get(inside..inside + length)?;
        // The condition's closing parenthesis is followed by the attribute's bracket.
        is_for_tests(condition).then_some((start, inside + length + ")]".len()))
    })
}

/// Whether a `cfg` condition holds in tests or loom models alone.
fn is_for_tests(condition: &str) -> bool {
    let mut required = condition.to_owned();
    while let Some(start) = find_word(&required, "not(") {
        let inside = start + "not(".len();
        let length = required.get(inside..).and_then(group_length).unwrap_or(0);
        required.replace_range(start..inside + length, "");
    }
    let names_tests = ["test", "loom"].iter().any(|word| find_word(&required, word).is_some());
    let or_a_feature = find_word(&required, "any(").is_some() && find_word(&required, "feature").is_some();
    names_tests && !or_a_feature
}

/// How many bytes lie before the bracket that closes the group which `inside` is the inside of.
fn group_length(inside: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in inside.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return Some(at),
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// How many bytes the item at the start of `code` takes, its attributes included; none if it is not an item.
fn item_length(code: &str) -> Option<usize> {
    let mut start = code.len() - code.trim_start().len();
    while let Some(attribute) = code.get(start..).and_then(|rest| rest.strip_prefix("#[")) {
        let after = start + "#[".len() + group_length(attribute)? + "]".len();
        let rest = code.get(after..)?;
        start = after + rest.len() - rest.trim_start().len();
    }
    let item = code.get(start..)?;
    let first_word: String = item.chars().take_while(|&character| is_word(character)).collect();
    if !ITEM_WORDS.contains(&first_word.as_str()) {
        return None;
    }
    let mut depth = 0_usize;
    for (at, character) in item.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            '}' if depth == 1 => return Some(start + at),
            ';' if depth == 0 => return Some(start + at),
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn test_lines(text: &str) -> Vec<usize> {
        Source::parse(text).lines().filter(|(_, line)| line.in_test).map(|(number, _)| number).collect()
    }

    #[test]
    fn a_test_module_is_test_code_to_its_closing_brace() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { \"}\"; }\n}\nfn c() {}";

        assert_eq!(test_lines(text), [2, 3, 4, 5]);
    }

    #[test]
    fn an_item_may_have_further_attributes_and_no_braces() {
        let text = "#[cfg(all(test, loom))]\n#[path = \"x\"]\nmod models;\nfn a() {}";

        assert_eq!(test_lines(text), [1, 2, 3]);
    }

    #[test]
    fn a_field_under_a_condition_takes_nothing_else_with_it() {
        let text = "struct A {\n    #[cfg(test)]\n    seen: u32,\n    b: u32,\n}";

        assert_eq!(test_lines(text), [0_usize; 0]);
    }

    #[test]
    fn an_inner_attribute_speaks_of_the_whole_file() {
        assert_eq!(test_lines("//! Models.\n#![cfg(loom)]\nfn a() {}"), [1, 2, 3]);
    }

    #[test]
    fn conditions_are_read_for_what_they_require() {
        for condition in ["test", "loom", "all(test, not(loom))", "any(test, loom)"] {
            assert!(is_for_tests(condition), "{condition}");
        }
        for condition in ["not(test)", "not(any(test, loom))", "unix", "any(test, feature = \"x\")"] {
            assert!(!is_for_tests(condition), "{condition}");
        }
    }
}
