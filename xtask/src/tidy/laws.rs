//! Every law that is due has a test which names it: a promise without a test is a wish.

use std::collections::BTreeMap;

use super::Problem;
use super::files::{File, regex};

/// The project's own list of laws.
const LIST: &str = "docs/laws.md";

/// A line of the list: `- **Q23** Past its expiry …`.
struct Law {
    name: String,
    letter: String,
    number: u32,
    line: usize,
    /// The line of the heading that it stands under; 0 if there is none.
    section: usize,
    /// Whether it binds what is not built yet.
    is_later: bool,
}

/// Finds laws without a test, tests of laws that do not exist, and a list out of order.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let Some(list) = files.iter().find(|file| file.path == LIST) else {
        return vec![Problem::new(LIST, 1, "the list of laws is missing: every promise has a line there")];
    };
    let laws = parse(list);
    let tests = mentions(files);
    let mut problems = Vec::new();
    for (at, Law { name, letter, number, line, section, is_later }) in laws.iter().enumerate() {
        let mut problem = |message: String| problems.push(Problem::new(LIST, *line, message));
        let before = &laws[..at];
        if before.iter().any(|other| other.name == *name) {
            problem(format!("{name} is given twice: take the next free number"));
        }
        let mut peers = before.iter().filter(|other| (&other.letter, &other.section) == (letter, section));
        if peers.any(|other| other.number > *number) {
            problem(format!("{name} stands after a later law: sort the section by number"));
        }
        if !is_later && !tests.contains_key(name) {
            problem(format!("no test names {name}: write one, with `/// {name}` and the law above it"));
        }
    }
    for (name, (path, line)) in &tests {
        let is_ours = laws.iter().any(|law| name.starts_with(&law.letter));
        if is_ours && laws.iter().all(|law| law.name != *name) {
            let message = format!("{LIST} has no {name}: correct the number or add the law");
            problems.push(Problem::new(path, *line, message));
        }
    }
    problems
}

fn parse(list: &File) -> Vec<Law> {
    let pattern = regex(r"^- \*\*(([A-Z])([1-9][0-9]*))\*\*( \(later\))?");
    let mut section = 0;
    let mut laws = Vec::new();
    for (line, text) in list.lines() {
        if text.starts_with('#') {
            section = line;
        }
        laws.extend(pattern.captures(text).map(|found| Law {
            name: found[1].to_owned(),
            letter: found[2].to_owned(),
            number: found[3].parse().unwrap_or(u32::MAX),
            line,
            section,
            is_later: found.get(4).is_some(),
        }));
    }
    laws
}

/// Returns each law that a comment of a test or a suite's list of laws names, with the first place.
///
/// A range (`Q1–Q57`) names none, for it tests none.
fn mentions(files: &[File]) -> BTreeMap<String, (String, usize)> {
    let range = regex(r"\b[A-Z][0-9]+\s*(?:–|—|-|\.\.)\s*[A-Z][0-9]+\b");
    let in_comment = regex(r"\b([A-Z][1-9][0-9]*)\b");
    let in_list = regex(r"^\s*([a-z][1-9][0-9]*)_\w+,$");
    let mut mentions = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for (number, line) in file.test_lines() {
            let comment = line.split_once("//").map_or("", |(_, comment)| comment);
            let comment = range.replace_all(comment, "");
            for found in in_comment.captures_iter(&comment).chain(in_list.captures(line)) {
                let place = || (file.path.clone(), number);
                mentions.entry(found[1].to_uppercase()).or_insert_with(place);
            }
        }
    }
    mentions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const LAWS: &str = "# Laws\n\n- **Q1** One.\n- **Q2** Two.\n  More.\n- **D1** (later) Three.\n";

    fn found(laws: &str, test: &str) -> Vec<String> {
        places(check, &[(LIST, laws), ("a/tests/it/x.rs", test)])
    }

    #[test]
    fn a_law_that_no_test_names_is_a_problem_unless_it_is_for_later() {
        assert_eq!(found(LAWS, "//! X.\n/// Q1 One.\nfn one() {}"), ["docs/laws.md:4"]);
        assert_eq!(found(LAWS, "//! X.\n/// Q1 and (Q2)."), [""; 0]);
        assert_eq!(found(LAWS, "//! X.\nlaws! { push {\n    q1_one,\n    q2_two,\n} }"), [""; 0]);
    }

    #[test]
    fn ranges_code_strings_and_programs_name_no_law() {
        let unnamed = ["docs/laws.md:3", "docs/laws.md:4"];
        assert_eq!(found(LAWS, "/// The laws Q1–Q2 and Q1..Q2.\nstruct Q1; let s = \"Q2\";"), unnamed);
        assert_eq!(places(check, &[(LIST, LAWS), ("a/src/x.rs", "/// Q1 Q2")]), unnamed);
    }

    #[test]
    fn a_test_of_an_unknown_law_is_a_problem() {
        assert_eq!(found(LAWS, "/// Q1, Q2.\n/// Q7."), ["a/tests/it/x.rs:2"]);
        assert_eq!(found(LAWS, "/// Q1, Q2.\n/// Z7 is no letter of ours."), [""; 0]);
    }

    #[test]
    fn a_list_that_is_missing_out_of_order_or_has_a_number_twice_is_a_problem() {
        assert_eq!(found("- **Q2** Two.\n- **Q1** One.", "// Q1 Q2"), ["docs/laws.md:2"]);
        assert_eq!(found("## A\n- **Q2** Two.\n## B\n- **Q1** One.", "// Q1 Q2"), [""; 0]);
        assert_eq!(found("- **Q2** Two.\n## B\n- **Q2** Two.", "// Q2"), ["docs/laws.md:3"]);
        assert_eq!(places(check, &[]), ["docs/laws.md:1"]);
    }
}
