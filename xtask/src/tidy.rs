//! `cargo xtask tidy`: the rules that no standard tool checks, a file for each.
//!
//! A rule takes the project's files and returns its problems, each with the place and what to do there.
//! Every rule has a test with a bad sample.

mod cycles;
mod examples;
mod files;
mod laws;
mod layers;
mod length;
mod manifests;
mod modules;
mod prose;
mod sleeping;
mod test_files;
mod type_names;
mod words;

use std::fmt;

use anyhow::ensure;

use self::files::File;
use crate::workspace::Workspace;

type Rule = fn(&[File]) -> Vec<Problem>;

/// The rules by name, in the order in which their problems are listed.
const RULES: [(&str, Rule); 11] = [
    ("manifests", manifests::check),
    ("length", length::check),
    ("sleeping", sleeping::check),
    ("examples", examples::check),
    ("test files", test_files::check),
    ("laws", laws::check),
    ("layers", layers::check),
    ("cycles", cycles::check),
    ("words", words::check),
    ("type names", type_names::check),
    ("prose", prose::check),
];

/// A place that breaks a rule, with what to do about it.
pub(crate) struct Problem {
    path: String,
    line: usize,
    message: String,
}

impl Problem {
    pub(crate) fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Holds the project to every rule, and prints what breaks one.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let files = files::read(&workspace.root)?;
    let mut count = 0;
    for (name, check) in RULES {
        for problem in check(&files) {
            println!("{problem} ({name})");
            count += 1;
        }
    }
    ensure!(count == 0, "tidy found {count} problems: see above for each place and what to do");
    Ok(())
}

/// Returns the places of the problems that a rule finds, for its tests.
#[cfg(test)]
fn places(check: Rule, files: &[(&str, &str)]) -> Vec<String> {
    let texts = files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned()));
    let problems = check(&files::files(texts.collect()));
    problems.iter().map(|Problem { path, line, .. }| format!("{path}:{line}")).collect()
}
