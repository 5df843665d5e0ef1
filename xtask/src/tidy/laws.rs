//! Every law that is due has a test which names it: a promise without a test is a wish.

mod list;
mod mentions;

use std::collections::BTreeMap;

use self::list::Law;
use self::mentions::Mention;
use super::{Problem, Project};

/// The project's own list of laws.
const LIST: &str = "docs/laws.md";

/// Finds laws without a test, tests of laws that do not exist, and a list out of order.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let Some(file) = project.tree.get(LIST) else {
        return vec![Problem::new(LIST, 1, "the list of laws is missing: every promise has a line there")];
    };
    let laws = list::parse(&file.text);
    let mentions = mentions::find(&project.tree);
    let mut problems = out_of_order(&laws);
    problems.extend(untested(&laws, &mentions));
    problems.extend(unknown(&laws, &mentions));
    problems
}

/// Numbers given twice, and numbers that come before a lower one of their section.
fn out_of_order(laws: &[Law]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, law) in laws.iter().enumerate() {
        let mut before = laws.iter().take(at);
        if let Some(first) = before.clone().find(|first| first.to_string() == law.to_string()) {
            let message =
                format!("{law} is given twice, on line {} too: take the next free number", first.line);
            problems.push(Problem::new(LIST, law.line, message));
        } else if before.any(|other| other.is_after(law)) {
            let message = format!("{law} stands after a later law: sort the section by number");
            problems.push(Problem::new(LIST, law.line, message));
        }
    }
    problems
}

fn untested(laws: &[Law], mentions: &BTreeMap<String, Mention>) -> Vec<Problem> {
    let due = laws.iter().filter(|law| !law.is_later && !mentions.contains_key(&law.to_string()));
    due.map(|law| {
        let message = format!("no test names {law}: write one, with `/// {law}` and the law above it");
        Problem::new(LIST, law.line, message)
    })
    .collect()
}

fn unknown(laws: &[Law], mentions: &BTreeMap<String, Mention>) -> Vec<Problem> {
    let is_unknown = |name: &str| {
        let of_our_letters = laws.iter().any(|law| name.starts_with(law.letter));
        of_our_letters && !laws.iter().any(|law| law.to_string() == name)
    };
    let unknown = mentions.iter().filter(|(name, _)| is_unknown(name));
    unknown
        .map(|(name, at)| {
            Problem::new(
                &at.file,
                at.line,
                format!("{LIST} has no {name}: correct the number or add the law"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const LAWS: &str = "# Laws\n\n- **Q1** One.\n- **Q2** Two.\n  More.\n- **D1** (later) Three.\n";

    fn found(laws: &str, test: &str) -> Vec<String> {
        places(&check(&Project::of(&[(LIST, laws), ("a/tests/it/x.rs", test)])))
    }

    #[test]
    fn a_law_that_no_test_names_is_a_problem_unless_it_is_for_later() {
        assert_eq!(found(LAWS, "//! X.\n/// Q1 One.\nfn one() {}"), ["docs/laws.md:4"]);
        assert_eq!(found(LAWS, "//! X.\n/// Q1 and Q2."), [""; 0]);
    }

    #[test]
    fn a_test_of_an_unknown_law_is_a_problem() {
        assert_eq!(found(LAWS, "/// Q1, Q2.\n/// Q7."), ["a/tests/it/x.rs:2"]);
        assert_eq!(found(LAWS, "/// Q1, Q2.\n/// Z7 is no letter of ours."), [""; 0]);
    }

    #[test]
    fn a_list_out_of_order_is_a_problem() {
        assert_eq!(found("- **Q2** Two.\n- **Q1** One.", "// Q1 Q2"), ["docs/laws.md:2"]);
        assert_eq!(found("## A\n- **Q2** Two.\n## B\n- **Q1** One.", "// Q1 Q2"), [""; 0]);
    }

    #[test]
    fn a_number_given_twice_is_a_problem() {
        assert_eq!(found("- **Q2** Two.\n## B\n- **Q2** Two.", "// Q2"), ["docs/laws.md:3"]);
    }

    #[test]
    fn a_project_without_the_list_is_a_problem() {
        assert_eq!(places(&check(&Project::of(&[]))), ["docs/laws.md:1"]);
    }
}
