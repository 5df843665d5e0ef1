//! The modules of a crate, and what a path in one of them leads to.

use std::collections::BTreeMap;

use super::files::{File, regex};

/// One loop in many files, whose parts share its state.
const LEFT_OUT: &str = "queue-tokio/src/service";

/// The code of each module, by its path from the root of the crate (`table::push`). The root's path is empty.
pub(super) type Modules = BTreeMap<String, String>;

/// Reads the modules of a crate without comments and tests, and replaces groups of paths by whole paths.
pub(super) fn modules(files: &[File], source: &str) -> Modules {
    let (test, group) = (regex(r"#\[cfg\(test\)\]\s*[^;{]*;"), regex(r"([\w:]+)::\{([^{}]*)\}"));
    let mut modules = Modules::new();
    for file in files.iter().filter(|file| file.length > 0 && !file.path.starts_with(LEFT_OUT)) {
        let Some(name) = file.path.strip_prefix(source).and_then(|path| path.strip_suffix(".rs")) else {
            continue;
        };
        let name = if name == "lib" { String::new() } else { name.replace('/', "::") };
        let lines = file.lines().take(file.length).map(|(_, line)| line.split("//").next().unwrap_or(line));
        let mut code = test.replace_all(&lines.collect::<Vec<_>>().join("\n"), "").into_owned();
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
pub(super) fn resolve(modules: &Modules, from: &str, path: &str) -> Option<String> {
    let mut names = path.split("::").peekable();
    let mut at = if names.next_if_eq(&"crate").is_some() { "" } else { from }.to_owned();
    while names.next_if_eq(&"super").is_some() {
        at = parent(&at).to_owned();
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

pub(super) fn is_within(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

pub(super) fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}
