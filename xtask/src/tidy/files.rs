//! The project's text files, and which of their lines are tests.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
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
pub(super) struct File {
    /// Its path from the root, with `/` between folders.
    pub(super) path: String,
    pub(super) text: String,
    /// The number of lines before its tests.
    pub(super) length: usize,
}

/// Which lines of a file a rule reads.
#[derive(Clone, Copy)]
pub(super) enum Part {
    All,
    /// The lines that are not tests.
    Source,
    /// The source, without comments and blank lines.
    Code,
    Tests,
    /// Comments, and all of a Markdown file.
    Prose,
    /// The tables `dev-dependencies` of a manifest.
    DevDependencies,
}

impl File {
    /// Returns the lines of a part, each with its number, from 1.
    pub(super) fn lines(&self, part: Part) -> impl Iterator<Item = (usize, &str)> {
        let mut table = "";
        (1..).zip(self.text.lines()).filter_map(move |(number, line)| {
            if line.starts_with('[') {
                table = line;
            }
            let is_test = number > self.length;
            let text = match part {
                Part::All => Some(line),
                Part::Source => (!is_test).then_some(line),
                Part::Code => line.split("//").next().filter(|code| !is_test && !code.trim().is_empty()),
                Part::Tests => is_test.then_some(line),
                Part::Prose => self.prose(line),
                Part::DevDependencies => table.contains("dev-dependencies").then_some(line),
            };
            Some((number, text?))
        })
    }

    /// Returns the prose of a line, the mark of a comment included.
    fn prose<'a>(&self, line: &'a str) -> Option<&'a str> {
        let (_, extension) = self.path.rsplit_once('.')?;
        let marks = [("md", ""), ("rs", "//"), ("sql", "--")];
        let (_, mark) = marks.into_iter().find(|(other, _)| *other == extension)?;
        // A colon before the mark is that of a URL.
        let at = line.find(mark).filter(|&at| !line[..at].ends_with(':'))?;
        line.get(at..)
    }
}

/// Reads the files under `root`.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<File>> {
    let (mut texts, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))? {
            let path = entry?.path();
            let [name, extension] = [path.file_name(), path.extension()]
                .map(|part| part.and_then(OsStr::to_str).unwrap_or_default());
            if path.is_dir() && !name.starts_with('.') && !GENERATED.contains(&name) {
                folders.push(path);
            } else if path.is_file() && EXTENSIONS.contains(&extension) {
                let text = fs::read_to_string(&path);
                let text = text.with_context(|| format!("could not read {}", path.display()))?;
                texts.insert(path.strip_prefix(root)?.to_string_lossy().replace('\\', "/"), text);
            }
        }
    }
    Ok(files(texts))
}

/// Returns files from texts by path.
pub(super) fn files(texts: BTreeMap<String, String>) -> Vec<File> {
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
pub(super) fn regex(pattern: &str) -> Regex {
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
}
