//! Modules that are parts of one folder don't use each other, nor do their own parts.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{File, Part, regex};
use super::problem;

const CRATES: [&str; 9] =
    ["board", "core", "tokio", "sqlite", "postgres", "metrics", "otel", "testkit", "conformance"];

/// The code of each module, by its path from the root of the crate (`table::push`). The root's path is empty.
type Modules = BTreeMap<String, String>;

/// The pairs of neighbours of which the first, or one of its parts, uses the second. Each has an example.
type Uses<'a> = BTreeMap<(&'a str, &'a str), String>;

/// Finds cycles of modules.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let path = regex(r"\b(?:crate|super)(?:::\w+)+");
    let mut problems = Vec::new();
    for krate in CRATES {
        let source = format!("queue-{krate}/src/");
        let modules = modules(files, &source);
        let mut uses = Uses::new();
        for (name, code) in &modules {
            for path in path.find_iter(code).map(|path| path.as_str()) {
                let used = resolve(&modules, name, path).and_then(|used| modules.get_key_value(&used));
                if let Some(pair) = used.and_then(|(used, _)| neighbours(name, used)) {
                    uses.entry(pair).or_insert(format!("`{name}` uses `{path}`"));
                }
            }
        }
        problems.extend(cycles(&uses).iter().map(|cycle| {
            let uses = uses.iter().filter(|((from, to), _)| cycle.contains(from) && cycle.contains(to));
            let uses: Vec<_> = uses.map(|(_, example)| example.as_str()).collect();
            let message = format!("these modules use each other, move an item: {}", uses.join(", "));
            let first = cycle.first().map_or(String::new(), |name| name.replace("::", "/"));
            problem(&format!("{source}{first}.rs"), 1, message)
        }));
    }
    problems
}

/// Returns the two parts of one folder that hold two modules; none if one of the modules holds the other.
fn neighbours<'a>(from: &'a str, to: &'a str) -> Option<(&'a str, &'a str)> {
    let ends = |name: &'a str| name.match_indices("::").map(|(end, _)| end).chain([name.len()]);
    let outer = |name: &'a str| ends(name).map(move |end| &name[..end]);
    outer(from).zip(outer(to)).find(|(from, to)| from != to)
}

fn cycles<'a>(uses: &Uses<'a>) -> BTreeSet<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let (mut reached, mut new) = (BTreeSet::new(), vec![from]);
        while let Some(name) = new.pop() {
            let used = uses.keys().filter(|(from, _)| *from == name).map(|(_, to)| *to);
            new.extend(used.filter(|to| reached.insert(*to)));
        }
        reached
    };
    let reached: BTreeMap<_, _> = uses.keys().map(|(from, _)| (*from, reached(from))).collect();
    let cycle = |name: &&str| -> BTreeSet<_> {
        let back = |to: &&str| reached.get(to).is_some_and(|reached| reached.contains(name));
        reached[name].iter().copied().filter(back).collect()
    };
    reached.keys().map(cycle).filter(|cycle| !cycle.is_empty()).collect()
}

/// Reads the modules of a crate without comments and tests, and replaces groups of paths by whole paths.
fn modules(files: &[File], source: &str) -> Modules {
    let (test, group) = (regex(r"#\[cfg\(test\)\]\s*[^;{]*;"), regex(r"([\w:]+)::\{([^{}]*)\}"));
    let mut modules = Modules::new();
    for file in files.iter().filter(|file| file.length > 0) {
        let Some(name) = file.path.strip_prefix(source).and_then(|path| path.strip_suffix(".rs")) else {
            continue;
        };
        let name = if name == "lib" { String::new() } else { name.replace('/', "::") };
        let lines: Vec<_> = file.lines(Part::Code).map(|(_, line)| line).collect();
        let mut code = test.replace_all(&lines.join("\n"), "").into_owned();
        while let Some(found) = group.captures(&code) {
            let paths = found[2].split(',').map(str::trim).filter(|path| !path.is_empty());
            let paths: Vec<_> = paths.map(|path| format!("{}::{path}", &found[1])).collect();
            code = code.replace(&found[0], &paths.join(", "));
        }
        modules.insert(name, code);
    }
    modules
}

/// Returns the module that defines the item of a path. Follows re-exports.
fn resolve(modules: &Modules, from: &str, path: &str) -> Option<String> {
    let mut names = path.split("::").peekable();
    let mut at = if names.next_if_eq(&"crate").is_some() { "" } else { from }.to_owned();
    while names.next_if_eq(&"super").is_some() {
        at = at.rsplit_once("::").map_or("", |(parent, _)| parent).to_owned();
    }
    while let Some(part) = names.peek().map(|name| join(&at, name)).filter(|part| modules.contains_key(part))
    {
        at = part;
        names.next();
    }
    let (Some(item), Some(code)) = (names.next(), modules.get(&at)) else { return Some(at) };
    let imports = code.split(';').filter_map(|statement| statement.split_once("use "));
    let mut imports = imports.flat_map(|(_, paths)| paths.split(',')).map(str::trim);
    let Some(import) = imports.find(|import| import.ends_with(&format!("::{item}"))) else { return Some(at) };
    match import.split("::").next() {
        Some("crate" | "super") => resolve(modules, &at, import),
        Some(part) if modules.contains_key(&join(&at, part)) => {
            resolve(modules, "", &join("crate", &join(&at, import)))
        }
        _ => None,
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}
