//! One word, one thing: no type of the crates that users read has the name of another.

use std::collections::BTreeMap;

use super::files::{File, Part, regex};
use super::problem;

/// Names that mean the same wherever they are: what clones share, what a builder collects, the macro's model of a
/// type, the calls of one commit, the claims that a backend has not answered.
const ALLOWED: [&str; 8] =
    ["Shared", "Builder", "Settings", "Job", "Backoff", "Unique", "Batch", "WaitingClaims"];

/// Finds type names that are defined in two files.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let library =
        regex(r"^queue-(?:board|core|cron|macros|metrics|otel|postgres|schedules|sqlite|tokio)/src/");
    let definition = regex(r"^(?:pub(?:\([a-z ]+\))? )?(?:struct|enum|union|trait|type) (\w+)");
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| library.is_match(&file.path)) {
        for (number, line) in file.lines(Part::Code) {
            let Some(found) = definition.captures(line) else { continue };
            let name = &found[1];
            let other = *first.entry(name.to_owned()).or_insert(&file.path);
            if other != file.path && !ALLOWED.contains(&name) {
                let message = format!("`{name}` is also a type of {other}: name one of them for what it is");
                problems.push(problem(&file.path, number, message));
            }
        }
    }
    problems
}
