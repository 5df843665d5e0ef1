//! `cargo xtask tidy`: the project's rules as code, a file for each.
//!
//! A rule takes the project as data and gives the list of its problems, each with the place and what to do there.
//! Every rule has tests on small samples, a bad one among them: a rule which cannot fail is no rule.

mod examples;
mod laws;
mod length;
mod manifests;
mod sleeping;
mod test_files;
mod words;

use std::fmt;

use anyhow::bail;

use crate::tree::Tree;
use crate::workspace::{Crate, Workspace};

/// The rules, in the order in which their problems are listed.
const RULES: [Rule; 7] = [
    Rule { name: "manifests", check: manifests::check },
    Rule { name: "length", check: length::check },
    Rule { name: "sleeping", check: sleeping::check },
    Rule { name: "test files", check: test_files::check },
    Rule { name: "laws", check: laws::check },
    Rule { name: "words", check: words::check },
    Rule { name: "examples", check: examples::check },
];

/// One rule of the house.
struct Rule {
    name: &'static str,
    check: fn(&Project) -> Vec<Problem>,
}

/// What the rules judge.
pub(crate) struct Project {
    pub(crate) tree: Tree,
    pub(crate) crates: Vec<Crate>,
}

/// A place that breaks a rule, with what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    file: String,
    line: usize,
    message: String,
    weight: Weight,
}

/// What a problem does to the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It fails.
    Failure,
    /// It is listed, and that is all.
    Advice,
}

impl Problem {
    pub(crate) fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into(), weight: Weight::Failure }
    }

    pub(crate) fn advice(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { weight: Weight::Advice, ..Self::new(file, line, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.weight {
            Weight::Failure => "",
            Weight::Advice => "(advice) ",
        };
        write!(formatter, "{}:{}: {kind}{}", self.file, self.line, self.message)
    }
}

/// Holds the project to every rule, and prints what breaks one.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let project = Project { tree: Tree::read(workspace.root())?, crates: workspace.crates() };
    let mut failures = 0;
    for rule in RULES {
        let problems = (rule.check)(&project);
        failures += problems.iter().filter(|problem| problem.weight == Weight::Failure).count();
        if !problems.is_empty() {
            println!("{}:", rule.name);
        }
        for problem in problems {
            println!("  {problem}");
        }
    }
    match failures {
        0 => Ok(()),
        1 => bail!("tidy found a problem: see above for the place and what to do"),
        _ => bail!("tidy found {failures} problems: see above for each place and what to do"),
    }
}

#[cfg(test)]
impl Project {
    /// A project of nothing but files, for the tests of a rule.
    fn of(files: &[(&str, &str)]) -> Self {
        Self { tree: Tree::of(files), crates: Vec::new() }
    }
}

/// The places of `problems`, for the tests of a rule.
#[cfg(test)]
fn places(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{}:{}", problem.file, problem.line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_prints_its_place_so_that_an_editor_can_jump_to_it() {
        assert_eq!(Problem::new("a/src/lib.rs", 7, "do this").to_string(), "a/src/lib.rs:7: do this");
        assert_eq!(Problem::advice("b.rs", 1, "think").to_string(), "b.rs:1: (advice) think");
    }
}
