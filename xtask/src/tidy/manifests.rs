//! Every crate of ours takes the workspace's lints: cargo does not say so when one forgets them.

use super::{Problem, Project};

/// Finds members whose manifest does not say `[lints] workspace = true`.
pub(super) fn check(project: &Project) -> Vec<Problem> {
    let members = project.crates.iter().filter(|krate| !krate.is_fixture());
    let without = members.filter(|krate| {
        let text = project.tree.get(&krate.manifest).map_or("", |file| file.text.as_str());
        !takes_lints(text)
    });
    let message = "the workspace's lints do not hold here: add `[lints]` with `workspace = true`";
    without.map(|krate| Problem::new(&krate.manifest, 1, message)).collect()
}

fn takes_lints(manifest: &str) -> bool {
    let mut section = "";
    for line in manifest.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.starts_with('[') {
            section = line;
        }
        let words: String = line.split_whitespace().collect();
        if (section == "[lints]" && words == "workspace=true") || words == "lints.workspace=true" {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;
    use crate::workspace::Crate;

    fn found(manifest: &str, text: &str) -> Vec<String> {
        let mut project = Project::of(&[(manifest, text)]);
        project.crates = vec![Crate {
            name: "a".to_owned(),
            manifest: manifest.to_owned(),
            dependencies: Vec::new(),
            examples: Vec::new(),
        }];
        places(&check(&project))
    }

    #[test]
    fn a_manifest_that_takes_the_lints_is_fine() {
        assert_eq!(found("a/Cargo.toml", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"), [""; 0]);
        assert_eq!(found("a/Cargo.toml", "lints.workspace = true\n"), [""; 0]);
    }

    #[test]
    fn a_manifest_without_them_is_a_problem() {
        assert_eq!(found("a/Cargo.toml", "[package]\nname = \"a\"\n"), ["a/Cargo.toml:1"]);
        assert_eq!(
            found("a/Cargo.toml", "[lints]\n# workspace = true\n[x]\nworkspace = true"),
            ["a/Cargo.toml:1"]
        );
    }

    #[test]
    fn a_fixture_needs_none() {
        assert_eq!(found("queue-macros/tests/crates/a/Cargo.toml", ""), [""; 0]);
    }
}
