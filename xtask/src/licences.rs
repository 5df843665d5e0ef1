//! The licences of what we use: each must be one that our users can take with us.

use anyhow::bail;
use spdx::{Expression, ParseMode};

use crate::workspace::Workspace;

/// What we accept: permissive licences, and one whose copyleft ends at the file.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Holds every crate that the lock file names to the list.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let foreign = workspace.metadata().packages.iter().filter(|package| package.source.is_some());
    let judged: Vec<Option<String>> = foreign
        .map(|package| {
            let problem = problem_of(package.license.as_deref())?;
            Some(format!("{} {}: {problem}", package.name, package.version))
        })
        .collect();
    let problems: Vec<&str> = judged.iter().flatten().map(String::as_str).collect();
    if problems.is_empty() {
        println!("{} crates, each under a licence of the list", judged.len());
        return Ok(());
    }
    bail!("licences that are not allowed:\n  {}", problems.join("\n  "))
}

/// What is wrong with a licence, if anything is.
fn problem_of(licence: Option<&str>) -> Option<String> {
    let Some(licence) = licence else {
        return Some("says no licence in its manifest".to_owned());
    };
    // Old manifests write `MIT/Apache-2.0`, which the lax mode reads as a choice.
    match Expression::parse_mode(licence, ParseMode::LAX) {
        Err(_) => Some(format!("`{licence}` is no licence expression")),
        Ok(expression) if is_allowed(&expression) => None,
        Ok(_) => Some(format!("`{licence}` asks for one that is not in the list")),
    }
}

/// Whether the listed licences satisfy the expression; an exception to one only permits more.
fn is_allowed(expression: &Expression) -> bool {
    expression.evaluate(|part| part.license.id().is_some_and(|id| ALLOWED.contains(&id.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_list_can_satisfy_is_fine() {
        for licence in
            ["MIT", "MIT/Apache-2.0", "GPL-2.0-only OR MIT", "Apache-2.0 WITH LLVM-exception AND ISC"]
        {
            assert_eq!(problem_of(Some(licence)), None, "{licence}");
        }
    }

    #[test]
    fn what_it_cannot_is_a_problem() {
        for licence in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "a licence of my own"] {
            assert!(problem_of(Some(licence)).is_some(), "{licence}");
        }
        assert!(problem_of(None).is_some());
    }
}
