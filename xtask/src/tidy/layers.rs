//! The layers of queue-core: each folder of its modules uses the folders below it, and no other.

use super::Problem;
use super::files::{File, regex};

/// Each layer, with those that it may use. ARCHITECTURE.md has the picture.
const LAYERS: [(&str, &[&str]); 6] = [
    ("contract", &[]),
    ("table", &["contract"]),
    ("attempt", &["contract"]),
    ("backend", &["contract", "attempt"]),
    ("services", &["contract", "attempt"]),
    ("runner", &["contract", "attempt", "services"]),
];

/// Finds paths from a layer to one that it may not use. Tests may use anything.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let path = regex(r"\bcrate::(contract|table|attempt|backend|services|runner)\b");
    let mut problems = Vec::new();
    for file in files {
        let Some(inner) = file.path.strip_prefix("queue-core/src/") else { continue };
        let layer = inner.split(['/', '.']).next().unwrap_or(inner);
        let Some((layer, lower)) = LAYERS.iter().find(|(name, _)| *name == layer) else { continue };
        for (number, line) in file.lines().take(file.length) {
            let code = line.split("//").next().unwrap_or(line);
            for used in path.captures_iter(code).filter_map(|found| found.get(1)) {
                let used = used.as_str();
                if used != *layer && !lower.contains(&used) {
                    let message = format!("`{layer}` must not use `{used}`: move the item, or what uses it");
                    problems.push(Problem::new(&file.path, number, message));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_path_to_a_layer_above_is_a_problem_outside_of_tests() {
        let files = [
            (
                "queue-core/src/contract/a.rs",
                "use crate::attempt::b::B;\n#[cfg(test)]\nmod tests {\n    use crate::runner::c::C;\n}",
            ),
            (
                "queue-core/src/table/b.rs",
                "/// [`Jobs`](crate::runner)\nuse crate::contract::a::A;\nlet b = crate::services::Scope;",
            ),
            ("queue-core/src/runner.rs", "use crate::services::Scope;\nuse crate::table::JobTable;"),
            ("queue-core/src/lib.rs", "pub use crate::runner::Jobs;"),
        ];

        assert_eq!(
            places(check, &files),
            ["queue-core/src/contract/a.rs:1", "queue-core/src/runner.rs:2", "queue-core/src/table/b.rs:3"]
        );
    }
}
