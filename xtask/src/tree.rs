//! The project's files, read once, as the rules of `tidy` see them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::source::Source;

/// What the rules look at; everything else is data.
const EXTENSIONS: [&str; 4] = ["rs", "md", "toml", "stderr"];

/// Folders that hold what programs wrote: at the root only, save `target`.
const GENERATED: [&str; 2] = ["out", "target"];

/// The project's text files by their paths from the root, with `/` between folders.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
}

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) text: String,
    /// What its lines are, if it is Rust.
    pub(crate) source: Option<Source>,
}

impl Tree {
    /// Reads every file of interest under `root`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut texts = Vec::new();
        read_folder(root, "", &mut texts)?;
        Ok(Self::new(texts))
    }

    /// Makes a tree of paths and texts.
    pub(crate) fn new(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let files = texts.into_iter().map(|(path, text)| {
            let source = path.ends_with(".rs").then(|| Source::parse(&text));
            (path, File { text, source })
        });
        let mut tree = Self { files: files.collect() };
        tree.mark_test_files();
        tree
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// The paths of all files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// All files.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The Rust files.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files().filter_map(|(path, file)| Some((path, file.source.as_ref()?)))
    }

    /// The files that the `mod` lines of `path` name and that are there; with whether only tests compile them.
    pub(crate) fn children(&self, path: &str) -> Vec<(String, bool)> {
        let modules =
            self.get(path).and_then(|file| file.source.as_ref()).map(Source::modules).unwrap_or_default();
        let files = modules.iter().flat_map(|module| module.files(path).map(|file| (file, module.in_test)));
        files.filter(|(file, _)| self.files.contains_key(file)).collect()
    }

    /// Every file that is compiled along with `path`, through `mod` lines; itself first.
    pub(crate) fn reached_from(&self, path: &str) -> Vec<String> {
        let mut reached = vec![path.to_owned()];
        let mut next = 0;
        while let Some(path) = reached.get(next) {
            let new: Vec<_> = self.children(path).into_iter().map(|(file, _)| file).collect();
            reached.extend(new.into_iter().filter(|file| !reached.contains(file)).collect::<Vec<_>>());
            next += 1;
        }
        reached
    }

    /// Files whose `mod` line is for tests are test code from their first line to the last.
    fn mark_test_files(&mut self) {
        let paths: Vec<String> = self.sources().map(|(path, _)| path.to_owned()).collect();
        let roots = paths.iter().flat_map(|path| self.children(path)).filter(|(_, in_test)| *in_test);
        let marked: Vec<String> = roots.flat_map(|(file, _)| self.reached_from(&file)).collect();
        for path in marked {
            if let Some(source) = self.files.get_mut(&path).and_then(|file| file.source.as_mut()) {
                source.mark_all_as_test();
            }
        }
    }
}

/// Whether a file is nothing but tests by its place: no user's program contains it.
pub(crate) fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "benches")
        || path.starts_with("queue-testkit/src/conformance")
        || path == "examples/testing.rs"
}

fn read_folder(folder: &Path, prefix: &str, texts: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let at_root = prefix.is_empty();
        if name.starts_with('.') || name == "target" || (at_root && GENERATED.contains(&name.as_str())) {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        let is_text =
            Path::new(&name).extension().is_some_and(|kind| EXTENSIONS.iter().any(|known| kind == *known));
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), texts)?;
        } else if kind.is_file() && is_text {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("could not read {path}"))?;
            texts.push((path, text));
        }
    }
    Ok(())
}

#[cfg(test)]
impl Tree {
    /// A tree for the tests of a rule.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self::new(files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_mod_line_is_for_tests_is_test_code_with_its_children() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "mod memory;"),
            ("a/src/memory.rs", "#[cfg(loom)]\nmod loom;"),
            ("a/src/memory/loom.rs", "mod signal;"),
            ("a/src/memory/loom/signal.rs", "fn f() {}"),
        ]);

        let all_test =
            |path| tree.get(path).unwrap().source.as_ref().unwrap().lines().all(|(_, line)| line.in_test);
        assert!(all_test("a/src/memory/loom.rs"));
        assert!(all_test("a/src/memory/loom/signal.rs"));
        assert!(!all_test("a/src/lib.rs"));
    }

    #[test]
    fn test_files_are_known_by_their_place() {
        assert!(is_test_path("queue-core/tests/it/claim.rs"));
        assert!(is_test_path("queue-testkit/src/conformance/push.rs"));
        assert!(!is_test_path("queue-core/src/claim.rs"));
    }
}
