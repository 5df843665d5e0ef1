//! The project's text files, and which of their lines are tests.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use regex::Regex;

/// Everything else is data.
const EXTENSIONS: [&str; 6] = ["rs", "md", "sql", "toml", "txt", "stderr"];

/// Folders that programs write to.
const GENERATED: [&str; 2] = ["out", "target"];

/// The beginning of the tests at the end of a file. Clippy refuses items behind them (`items_after_test_module`).
const TESTS: &str = r"(?m)^#\[cfg\((?:all\()?test\b[^\]]*\]\s+(?:#\[.*\]\s+)*mod tests \{";

/// The line that declares a file which only tests compile.
const TEST_MODULE: &str = r"#\[cfg\((?:all\()?test\b[^\]]*\]\s+(?:pub(?:\(\w+\))? )?mod (\w+);";

/// A text file.
pub(crate) struct File {
    /// Its path from the root, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The number of lines before its tests.
    pub(crate) length: usize,
}

impl File {
    /// Returns each line with its number, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// Returns the lines that are tests, with their numbers.
    pub(crate) fn test_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().skip(self.length)
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Reads the files under `root`.
pub(crate) fn read(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut texts = BTreeMap::new();
    read_folder(root, "", &mut texts)?;
    Ok(files(texts))
}

/// Returns files from texts by path.
pub(crate) fn files(texts: BTreeMap<String, String>) -> Vec<File> {
    let (tests, test_module) = (regex(TESTS), regex(TEST_MODULE));
    let mut test_files = HashSet::new();
    for (path, text) in &texts {
        let modules = test_module.captures_iter(text);
        test_files.extend(modules.map(|module| format!("{}/{}.rs", folder_of(path), &module[1])));
    }
    let file = |(path, text): (String, String)| {
        let is_test = is_test_path(&path) || test_files.contains(&path);
        let before_tests = tests.find(&text).map_or(text.as_str(), |tests| &text[..tests.start()]);
        let length = if is_test { 0 } else { before_tests.lines().count() };
        File { path, text, length }
    };
    texts.into_iter().map(file).collect()
}

/// Compiles a pattern of the project's own.
#[expect(clippy::expect_used, reason = "every pattern is used by a test")]
pub(crate) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a regular expression")
}

/// Returns the folder of the modules that a file declares.
fn folder_of(path: &str) -> &str {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if ["lib.rs", "main.rs"].contains(&name) { folder } else { path.trim_end_matches(".rs") }
}

/// Returns whether the place of a file says that it is all tests.
fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "benches")
        || path.starts_with("queue-conformance/src/conformance")
        || path == "examples/testing.rs"
}

fn read_folder(folder: &Path, prefix: &str, texts: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if kind.is_dir() && !name.starts_with('.') && !GENERATED.contains(&name.as_str()) {
            read_folder(&entry.path(), &format!("{path}/"), texts)?;
        } else if kind.is_file() && extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("could not read {path}"))?;
            texts.insert(path, text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(path: &str, text: &str) -> usize {
        let parent = ("a/src/lib.rs".to_owned(), "#[cfg(all(test, queue_loom))]\nmod models;".to_owned());
        let files = files(BTreeMap::from([parent, (path.to_owned(), text.to_owned())]));
        files.iter().find(|file| file.path == path).unwrap().length
    }

    #[test]
    fn tests_are_known_by_their_module_their_parent_or_their_place() {
        assert_eq!(length("a/src/x.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n"), 2);
        assert_eq!(length("a/src/x.rs", "fn a() {}\n#[cfg(not(test))]\nmod tests {}\n"), 3);
        assert_eq!(length("a/src/models.rs", "fn a() {}\n"), 0);
        assert_eq!(length("a/tests/it/x.rs", "fn a() {}\n"), 0);
        assert_eq!(length("queue-conformance/src/conformance/push.rs", "fn a() {}\n"), 0);
    }
}
