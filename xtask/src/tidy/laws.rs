//! Every law that is due has a test that names it: a promise without a test is a wish.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{File, Part, regex};
use super::problem;

/// The project's own list of laws, in lines such as `- **Q23** Past its expiry …`.
const LIST: &str = "docs/laws.md";

/// Finds laws without a test, tests of laws that do not exist, and a list out of order.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let Some(list) = files.iter().find(|file| file.path == LIST) else {
        return vec![problem(LIST, 1, "the list of laws is missing: every promise has a line there")];
    };
    let law = regex(r"^- \*\*(([A-Z])([1-9][0-9]*))\*\*( \(later\))?");
    let tests = tests(files);
    let mut problems = Vec::new();
    let (mut names, mut letters) = (BTreeSet::new(), BTreeSet::new());
    // The highest number of each letter in the section.
    let mut highest = BTreeMap::new();
    for (line, text) in list.lines(Part::All) {
        if text.starts_with('#') {
            highest.clear();
        }
        let Some(found) = law.captures(text) else { continue };
        let (name, letter, number) = (&found[1], &found[2], found[3].parse().unwrap_or(u32::MAX));
        let mut add = |message: String| problems.push(problem(LIST, line, message));
        let highest = highest.entry(letter.to_owned()).or_insert(number);
        if number < *highest {
            add(format!("{name} stands after a later law: sort the section by number"));
        }
        *highest = number.max(*highest);
        if !names.insert(name.to_owned()) {
            add(format!("{name} is given twice: take the next free number"));
        }
        let is_later = found.get(4).is_some();
        if !is_later && !tests.contains_key(name) {
            add(format!("no test names {name}: write one, with `/// {name}` and the law above it"));
        }
        letters.insert(letter.to_owned());
    }
    let is_unknown = |name: &str| letters.contains(&name[..1]) && !names.contains(name);
    for (name, (path, line)) in tests.iter().filter(|(name, _)| is_unknown(name)) {
        let message = format!("{LIST} has no {name}: correct the number or add the law");
        problems.push(problem(path, *line, message));
    }
    problems
}

/// Returns each law that a comment of a test or a suite's list of laws names, with the first place.
///
/// A range (`Q1–Q57`) names none, for it tests none.
fn tests(files: &[File]) -> BTreeMap<String, (&str, usize)> {
    let range = regex(r"\b[A-Z][0-9]+\s*(?:–|—|-|\.\.)\s*[A-Z][0-9]+\b");
    let in_comment = regex(r"\b([A-Z][1-9][0-9]*)\b");
    let in_list = regex(r"^\s*([a-z][1-9][0-9]*)_\w+,$");
    let mut tests = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        for (number, line) in file.lines(Part::Tests) {
            let comment = line.split_once("//").map_or("", |(_, comment)| comment);
            let comment = range.replace_all(comment, "");
            for found in in_comment.captures_iter(&comment).chain(in_list.captures(line)) {
                tests.entry(found[1].to_uppercase()).or_insert((file.path.as_str(), number));
            }
        }
    }
    tests
}
