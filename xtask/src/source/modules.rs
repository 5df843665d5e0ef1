//! Reads the `mod name;` lines of a file.

use std::path::{Path, PathBuf};

use super::{Line, is_word};

/// A module declared without a body: a file elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its name, after those of the modules with a body that it is declared in.
    path: Vec<String>,
    /// Whether only tests compile it.
    pub(crate) in_test: bool,
}

impl Module {
    /// The files that the module may be, when it is declared in `parent`.
    pub(crate) fn files(&self, parent: &str) -> [String; 2] {
        let parent = Path::new(parent);
        let folder = parent.parent().unwrap_or(Path::new(""));
        let is_root =
            parent.file_name().is_some_and(|name| name == "main.rs" || name == "lib.rs" || name == "mod.rs");
        let mut module = if is_root { folder.to_owned() } else { parent.with_extension("") };
        module.extend(&self.path);
        [slashed(&module.with_extension("rs")), slashed(&module.join("mod.rs"))]
    }
}

/// The modules that `lines` declare, in order.
pub(super) fn declared(lines: &[Line]) -> Vec<Module> {
    let mut modules = Vec::new();
    // The modules with a body that we stand in, each with the depth of braces around it.
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut words = ["", ""].map(str::to_owned);
    for line in lines {
        for word in words_and_marks(&line.code) {
            let [keyword, name] = &words;
            match word {
                ";" if keyword == "mod" => {
                    let path = open.iter().map(|(name, _)| name).chain([name]).cloned().collect();
                    modules.push(Module { path, in_test: line.in_test });
                }
                "{" => {
                    if keyword == "mod" {
                        open.push((name.clone(), depth));
                    }
                    depth += 1;
                }
                "}" => {
                    depth = depth.saturating_sub(1);
                    open.pop_if(|(_, at)| *at == depth);
                }
                _ => {}
            }
            words.rotate_left(1);
            word.clone_into(&mut words[1]);
        }
    }
    modules
}

/// Splits code to identifiers and single marks.
fn words_and_marks(code: &str) -> impl Iterator<Item = &str> {
    let mut rest = code;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let word = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        let (piece, left) = rest.split_at(word.max(if is_word(first) { 1 } else { first.len_utf8() }));
        rest = left;
        Some(piece)
    })
}

fn slashed(path: &Path) -> String {
    path.iter().collect::<PathBuf>().to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    fn files(parent: &str, text: &str) -> Vec<String> {
        Source::parse(text).modules().iter().map(|module| module.files(parent)[0].clone()).collect()
    }

    #[test]
    fn a_module_of_a_root_lies_beside_it() {
        assert_eq!(
            files("tests/it/main.rs", "mod a;\npub(crate) mod b;"),
            ["tests/it/a.rs", "tests/it/b.rs"]
        );
    }

    #[test]
    fn a_module_of_another_file_lies_in_its_folder() {
        assert_eq!(files("tests/it/a.rs", "mod c;"), ["tests/it/a/c.rs"]);
    }

    #[test]
    fn modules_with_a_body_are_folders_until_they_close() {
        assert_eq!(
            files("src/lib.rs", "mod a { fn f() {} mod b; }\nmod c;\n// mod d;\nlet e = \"mod e;\";"),
            ["src/a/b.rs", "src/c.rs"],
        );
    }

    #[test]
    fn modules_of_tests_are_known_as_such() {
        let modules = Source::parse("#[cfg(all(test, loom))]\nmod models;\nmod a;").modules();

        assert_eq!(modules.iter().map(|module| module.in_test).collect::<Vec<_>>(), [true, false]);
    }
}
