//! Modules of one crate don't use each other. A module and its folder are one noun: only cycles among the parts of a folder,
//! or with a module outside, are problems.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::files::{File, regex};
use super::modules::{Modules, is_within, modules, parent, resolve};

const CRATES: [&str; 6] =
    ["queue-core", "queue-tokio", "queue-sqlite", "queue-postgres", "queue-testkit", "queue-conformance"];

/// For each module, the modules that it uses, each with a path that does. The path is empty if the module declares it.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

/// Finds cycles of modules.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for krate in CRATES {
        let source = format!("{krate}/src/");
        let graph = graph(&modules(files, &source));
        for cycle in cycles(&graph, &graph.keys().collect()) {
            let uses =
                cycle.iter().flat_map(|from| graph[*from].iter().map(move |(to, path)| (from, to, path)));
            let uses = uses.filter(|(_, to, path)| cycle.contains(to) && !path.is_empty());
            let uses: Vec<_> = uses.map(|(from, _, path)| format!("`{from}` uses `{path}`")).collect();
            let message = format!(
                "modules use each other: move an item so that one of these ends: {}",
                uses.join(", ")
            );
            let first = cycle.first().map_or(String::new(), |name| name.replace("::", "/"));
            problems.push(Problem::new(&format!("{source}{first}.rs"), 1, message));
        }
    }
    problems
}

fn graph(modules: &Modules) -> Graph {
    let path = regex(r"\b(?:crate|super)(?:::\w+)+");
    let uses = |(name, code): (&String, &String)| {
        let parts = modules.keys().filter(|part| *part != name && parent(part) == name);
        let mut uses: BTreeMap<_, _> = parts.map(|part| (part.clone(), String::new())).collect();
        let paths = path.find_iter(code).map(|path| path.as_str());
        uses.extend(paths.filter_map(|path| Some((resolve(modules, name, path)?, path.to_owned()))));
        uses.retain(|used, _| used != name && !used.is_empty());
        (name.clone(), uses)
    };
    modules.iter().filter(|(name, _)| !name.is_empty()).map(uses).collect()
}

/// Returns the cycles among some modules.
fn cycles<'a>(graph: &'a Graph, among: &BTreeSet<&'a String>) -> Vec<BTreeSet<&'a String>> {
    let reached = |from: &'a String| {
        let (mut reached, mut new) = (BTreeSet::new(), vec![from]);
        while let Some(name) = new.pop() {
            new.extend(graph[name].keys().filter(|to| among.contains(to) && reached.insert(*to)));
        }
        reached
    };
    let reached: BTreeMap<_, _> = among.iter().map(|name| (*name, reached(name))).collect();
    let in_cycle = reached.keys().filter(|name| reached[*name].contains(*name));
    let cycle =
        |name: &&'a String| reached[name].iter().copied().filter(|to| reached[to].contains(name)).collect();
    let all: BTreeSet<BTreeSet<_>> = in_cycle.map(cycle).collect();
    let cycles = all.into_iter().flat_map(|mut cycle| {
        match cycle.iter().find(|root| cycle.iter().all(|part| is_within(part, root))).copied() {
            Some(root) => {
                cycle.remove(root);
                cycles(graph, &cycle)
            }
            None => vec![cycle],
        }
    });
    cycles.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
        places(check, files)
    }

    #[test]
    fn modules_that_use_each_other_are_a_problem() {
        let pair = [
            ("queue-core/src/a.rs", "use crate::{\n    b::{B, C},\n    d,\n};"),
            ("queue-core/src/b.rs", "fn b() {\n    super::a::A\n}"),
        ];
        let through_parts = [
            ("queue-sqlite/src/a.rs", "mod part;"),
            ("queue-sqlite/src/a/part.rs", "use crate::b::B;"),
            ("queue-sqlite/src/b.rs", "use crate::a::A;"),
        ];
        let siblings = [
            ("queue-testkit/src/a.rs", "mod b;\nmod c;\npub use b::B;\npub struct A;"),
            ("queue-testkit/src/a/b.rs", "use super::c::C;\nuse super::A;"),
            ("queue-testkit/src/a/c.rs", "use super::B;"),
        ];

        assert_eq!(cycles_of(&pair), ["queue-core/src/a.rs:1"]);
        assert_eq!(cycles_of(&through_parts), ["queue-sqlite/src/a.rs:1"]);
        assert_eq!(cycles_of(&siblings), ["queue-testkit/src/a/b.rs:1"], "also by a re-export");
    }

    #[test]
    fn a_module_with_its_folder_comments_and_tests_are_none() {
        let files = [
            ("queue-core/src/lib.rs", "mod a;\nmod b;\npub use a::A;"),
            ("queue-core/src/a.rs", "mod part;\n/// As [`B`](crate::b::B).\npub struct A;"),
            ("queue-core/src/a/part.rs", "impl super::A {}"),
            ("queue-core/src/b.rs", "use crate::A;\n#[cfg(test)]\nmod tests {}"),
            ("queue-core/src/c.rs", "use crate::b::B;"),
            (
                "queue-core/src/a/other.rs",
                "#[cfg(test)]\nuse crate::b::B;\n#[cfg(test)]\nmod tests {\n    use crate::b;\n}",
            ),
            ("queue-tokio/src/service/x.rs", "use super::y::Y;"),
            ("queue-tokio/src/service/y.rs", "use super::x::X;"),
        ];

        assert_eq!(cycles_of(&files), [""; 0]);
    }
}
