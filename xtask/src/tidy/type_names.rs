//! One word, one thing: no type of the crates that users read has the name of another.

use std::collections::BTreeMap;

use super::Problem;
use super::files::{File, regex};

const CRATES: [&str; 5] =
    ["queue-core/src/", "queue-macros/src/", "queue-postgres/src/", "queue-sqlite/src/", "queue-tokio/src/"];

/// Names that mean the same wherever they are: what clones share, what a builder collects, the macro's model of a
/// type, the calls of one commit, the claims that a backend has not answered.
const ALLOWED: [&str; 8] =
    ["Shared", "Builder", "Settings", "Job", "Backoff", "Unique", "Batch", "WaitingClaims"];

/// Names that still have several meanings. Rename the types, and delete the name here.
const KNOWN: [&str; 1] = ["Turn"];

/// Finds type names that are defined in two files, and known ones that no longer are.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    check_with(files, &KNOWN)
}

fn check_with(files: &[File], known: &[&str]) -> Vec<Problem> {
    let definition = regex(r"^(?:pub(?:\([a-z ]+\))? )?(?:struct|enum|union|trait|type) (\w+)");
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut twice = Vec::new();
    for file in files.iter().filter(|file| CRATES.iter().any(|krate| file.path.starts_with(krate))) {
        for (number, line) in file.lines().take(file.length) {
            let Some(name) = definition.captures(line).and_then(|found| found.get(1)) else { continue };
            let other = *first.entry(name.as_str()).or_insert(&file.path);
            if other != file.path {
                twice.push((name.as_str(), other, &file.path, number));
            }
        }
    }
    let is_known = |name: &str| ALLOWED.contains(&name) || known.contains(&name);
    let new = twice.iter().filter(|(name, ..)| !is_known(name)).map(|(name, other, path, line)| {
        let message = format!("`{name}` is also a type of {other}: name one of them for what it is");
        Problem::new(path, *line, message)
    });
    let gone = known.iter().filter(|name| twice.iter().all(|(other, ..)| other != *name));
    let gone = gone.map(|name| {
        let message = format!("`{name}` is defined once now: delete it from `KNOWN`");
        Problem::new("xtask/src/tidy/type_names.rs", 1, message)
    });
    new.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const FILES: [(&str, &str); 3] = [
        ("queue-core/src/a.rs", "pub struct Place;\nstruct Shared;\n    type Output = u32;"),
        ("queue-tokio/src/b.rs", "pub(crate) enum Place {}\nstruct Shared;\n    type Output = u32;"),
        ("queue-testkit/src/c.rs", "struct Place;"),
    ];

    #[test]
    fn a_name_of_two_types_is_a_problem_save_those_with_one_meaning() {
        assert_eq!(places(|files| check_with(files, &[]), &FILES), ["queue-tokio/src/b.rs:1"]);
    }

    #[test]
    fn a_known_name_is_none_until_it_is_defined_once() {
        assert_eq!(places(|files| check_with(files, &["Place"]), &FILES), [""; 0]);
        assert_eq!(
            places(|files| check_with(files, &["Place"]), &FILES[..1]),
            ["xtask/src/tidy/type_names.rs:1"]
        );
    }
}
