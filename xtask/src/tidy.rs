//! `cargo xtask tidy`: the rules that no standard tool checks.
//!
//! A rule takes the project's files and returns its problems, each with the place and what to do there. Most rules are
//! lines of the table in `tidy/rules.rs`. `tidy/samples.rs` has a bad sample for each rule, with the message it must get.

mod cycles;
mod files;
mod laws;
mod rules;
mod type_names;

#[cfg(test)]
mod samples;

use std::fmt::Display;

use anyhow::ensure;

use self::files::File;
use crate::workspace::Workspace;

/// Checks every rule, and prints the problems.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let problems = problems(&files::read(&workspace.root)?);
    problems.iter().for_each(|problem| println!("{problem}"));
    ensure!(problems.is_empty(), "tidy found {} problems: see above for each place", problems.len());
    Ok(())
}

fn problems(files: &[File]) -> Vec<String> {
    let checks = [rules::check, laws::check, cycles::check, type_names::check];
    checks.iter().flat_map(|check| check(files)).collect()
}

/// Returns the line that reports a place which breaks a rule, with what to do about it.
fn problem(path: &str, line: usize, message: impl Display) -> String {
    format!("{path}:{line}: {message}")
}
