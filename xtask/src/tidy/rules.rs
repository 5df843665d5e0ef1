//! The rules that a pattern, a limit or a path can state.

use super::files::{File, Part, regex};
use super::problem;

struct Rule {
    /// A pattern of the paths that the rule applies to.
    files: &'static str,
    /// A pattern of the exceptions, each as `path: line`.
    unless: &'static str,
    check: Check,
    advice: &'static str,
}

enum Check {
    /// No line matches.
    Never(Part, &'static str),
    /// The text matches.
    Always(&'static str),
    /// The part has at most this number of lines.
    AtMost(usize, Part),
    /// This file exists. `$1` is the first group of `files`.
    Beside(&'static str),
}

use Check::{Always, AtMost, Beside, Never};

const NO_EXCEPTION: &str = "^$";

/// Programs that tests build.
const TEST_PROGRAM: &str = "/tests/(?:ui|crates)/";

const RULES: &[Rule] = &[
    // Clippy finds some of these words in code. Prose and strings count too.
    word(r"\b(?:todo|unimplemented)!\(", "write the code, or return an error"),
    word(r"#\[ignore", "run the test or delete it: a test that never runs proves nothing"),
    word(r"\b(?:FIXME|XXX)\b", "fix it, or say in a full sentence what is to be known here"),
    word(r"(?:^|\W)/(?:home|root|work|Users)/", "this path exists on one machine: make it relative"),
    // What makes prose hard to read.
    phrase(r"(?:^|[^`\w])(?i:whoever|somebody|nobody|everybody|who is)\b", "name who acts"),
    phrase(r"\b(?:those|everyone|anybody|one) who\b", "name who acts"),
    phrase(r"\b(?i:it's|it is) (?:looked|told|waited|asked|seen to)\b", "name who acts"),
    phrase(r"\bso (?:many|long|often|much|few)(?: (?:[^at]|a[^s]|t[^h])|[^ \w]|$)", "name the number"),
    phrase(r"^//[/!]? (?:What|Where|Who) [a-z]", "begin with a noun"),
    phrase(r"///\s*(?:Gives|Tells|Makes|Has|Lets|Says|Sees)\b", "begin with Returns, Creates or Sets"),
    phrase(r"\b(?:gives? (?:it |them |back)|given back|lets? go|anew)\b", "the usual term is release"),
    phrase(r"\b(?:in hand|comes? to hand|goes by|give way)\b", "the usual term is in flight, yield"),
    phrase(r"\b(?:[Ll]ooks? (?:for|again)|looks at|a look)\b", "the usual term is poll, scan"),
    phrase(r"\b(?:all the same|nevertheless|in doubt)\b", "say when, or leave it out"),
    // The layers of queue-core. ARCHITECTURE.md has the picture.
    layer(r"^queue-core/src/contract\b", r"\bcrate::(?:table|attempt|backend|services|runner)\b"),
    layer(r"^queue-core/src/table\b", r"\bcrate::(?:attempt|backend|services|runner)\b"),
    layer(r"^queue-core/src/attempt\b", r"\bcrate::(?:table|backend|services|runner)\b"),
    layer(r"^queue-core/src/backend\b", r"\bcrate::(?:table|services|runner)\b"),
    layer(r"^queue-core/src/services\b", r"\bcrate::(?:table|backend|runner)\b"),
    layer(r"^queue-core/src/runner\b", r"\bcrate::(?:table|backend)\b"),
    Rule {
        files: r"\.rs$",
        unless: NO_EXCEPTION,
        check: AtMost(500, Part::Source),
        advice: "split the file by noun",
    },
    // The folders in `examples/` are applications.
    Rule {
        files: r"^examples/\w+\.rs$",
        unless: "^examples/own_backend.rs",
        check: AtMost(40, Part::Code),
        advice: "a small example shows one idea, to be read in one sitting",
    },
    Rule {
        files: r"^examples/\w+\.rs$",
        unless: "^examples/own_backend.rs",
        check: Never(Part::Code, r"\bsleep(?:_until)?\("),
        advice: "an example does not sleep: wait for an event, such as `queue.idle()` or a notification of the job",
    },
    Rule {
        files: r"\.rs$",
        unless: r"^xtask/src/tidy/|fn sleep|// .*virtual",
        check: Never(Part::Tests, r"\bsleep(?:_until)?\("),
        advice: "a test does not sleep: wait for the event (`Recorder`) or move the clock; if the time here is \
                 virtual, say so with `// virtual`",
    },
    Rule {
        files: r"/tests/.+\.rs$",
        unless: TEST_PROGRAM,
        check: Always(r"^//!"),
        advice: "open the file with a `//!` line that says what it tests",
    },
    Rule {
        files: r"^(.+?/tests/\w+)/.+\.rs$",
        unless: TEST_PROGRAM,
        check: Beside("$1/main.rs"),
        advice: "nothing runs this file",
    },
    // The root is no package. The others are programs of users and of peers.
    Rule {
        files: r"Cargo\.toml$",
        unless: "^(?:Cargo.toml|queue-macros/tests/crates/|bench/peers/)",
        check: Always(r"(?m)^(?:\[lints\]\s*\nworkspace|lints\.workspace)\s*=\s*true"),
        advice: "the workspace's lints do not apply here: add `[lints]` with `workspace = true`",
    },
    // Crates that use each other in tests form a cycle. Cargo publishes them one by one only without the versions.
    Rule {
        files: r"Cargo\.toml$",
        unless: NO_EXCEPTION,
        check: Never(
            Part::DevDependencies,
            r#"queue-.*(?:version|workspace)|version.*queue-|queue-[\w-]+ = ""#,
        ),
        advice: "a dev-dependency on a crate of the project has a path and no version",
    },
];

const fn word(pattern: &'static str, advice: &'static str) -> Rule {
    Rule { files: "", unless: "^xtask/src/tidy/", check: Never(Part::All, pattern), advice }
}

/// A program writes the tables of results.
const fn phrase(pattern: &'static str, advice: &'static str) -> Rule {
    let unless = "^(?:bench/RESULTS|xtask/src/tidy/)";
    Rule { files: "", unless, check: Never(Part::Prose, pattern), advice }
}

const fn layer(files: &'static str, pattern: &'static str) -> Rule {
    let advice = "this layer is not below: move the item, or what uses it";
    Rule { files, unless: NO_EXCEPTION, check: Never(Part::Code, pattern), advice }
}

/// Finds the places that break one of the rules.
pub(super) fn check(files: &[File]) -> Vec<String> {
    RULES.iter().flat_map(|rule| rule.problems(files)).collect()
}

impl Rule {
    fn problems(&self, files: &[File]) -> Vec<String> {
        let (paths, unless) = (regex(self.files), regex(self.unless));
        let pattern = match self.check {
            Never(_, pattern) | Always(pattern) => regex(pattern),
            AtMost(..) | Beside(_) => regex(""),
        };
        let mut problems = Vec::new();
        for file in files {
            let Some(path) = paths.captures(&file.path) else { continue };
            let mut add = |number, line: &str, what: &str| {
                if !unless.is_match(&format!("{}: {line}", file.path)) {
                    problems.push(problem(&file.path, number, format!("{what}: {}", self.advice)));
                }
            };
            match self.check {
                Never(part, _) => {
                    for (number, line) in file.lines(part) {
                        if let Some(found) = pattern.find(line) {
                            add(number, line, &format!("`{}`", found.as_str().trim()));
                        }
                    }
                }
                Always(_) if pattern.is_match(&file.text) => {}
                Always(_) => add(1, "", "a line is missing"),
                AtMost(limit, part) => {
                    if let Some((number, line)) = file.lines(part).nth(limit) {
                        add(number, line, &format!("more than {limit} lines"));
                    }
                }
                Beside(template) => {
                    let mut partner = String::new();
                    path.expand(template, &mut partner);
                    if files.iter().all(|file| file.path != partner) {
                        add(1, "", &format!("{partner} is missing"));
                    }
                }
            }
        }
        problems
    }
}
