//! Files that break each rule, and files that almost do.

use super::{files, problems};

/// The path of a file, its text, and the beginnings of its problems, each as `line: message`.
type Sample<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Checks that files have these problems and no others.
#[track_caller]
fn assert_problems(samples: &[Sample<'_>]) {
    let texts =
        [("docs/laws.md", "")].into_iter().chain(samples.iter().map(|(path, text, _)| (*path, *text)));
    let texts = texts.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let mut found = problems(&files::files(texts.collect()));
    for (path, _, expected) in samples {
        for problem in *expected {
            let at = found.iter().position(|found| found.starts_with(&format!("{path}:{problem}")));
            found.remove(at.unwrap_or_else(|| panic!("no `{path}:{problem}` of {samples:?} in {found:?}")));
        }
    }
    assert!(found.is_empty(), "{samples:?} has {found:?}");
}

#[test]
fn single_files() {
    let no_tests = "fn a() {}\n#[cfg(not(test))]\nmod tests { fn b() { sleep(t); } }";
    let tests =
        "fn a() {}\n#[cfg(test)]\n#[expect(dead_code)]\nmod tests {\n    fn b() { sleep_until(t); }\n}";
    let dev_dependencies = r#"lints.workspace = true
[dev-dependencies]
queue-a = { path = "../queue-a" }
queue-b.workspace = true
c = { package = "queue-c", path = "..", version = "1" }
queue-d = "1"
"#;
    let samples: [Sample<'_>; _] = [
        // Words.
        ("a/src/x.rs", "fn a() {}\nlet b = \"todo!(\";", &["2: `todo!(`: write the code"]),
        ("README.md", "See unimplemented!() there.", &["1: `unimplemented!(`"]),
        ("a/src/x.rs", "#[ignore = \"slow\"]", &["1: `#[ignore`: run the test or delete it"]),
        ("a/src/x.sql", "-- FIXME: XXX", &["1: `FIXME`: fix it"]),
        (
            "a.md",
            "\"/home/me\" /root/\n(/work/)\n/Users/",
            &["1: `\"/home/`: this path", "2: `(/work", "3: `/Us"],
        ),
        ("README.md", "XXXL, src/work/x.rs, `ignore`, my_todo!(x)", &[]),
        // Phrases.
        ("a.rs", "/// Whoever asks gets it.", &["1: `Whoever`: name who acts"]),
        ("a.rs", "let a = 1; // A batch is for those who wait.", &["1: `those who`: name who acts"]),
        ("a.sql", "select 1; -- Nobody waits.", &["1: `Nobody`"]),
        ("a.md", "It's looked every second.", &["1: `It's looked`: name who acts"]),
        ("a.rs", "/// Waits for so long at most.", &["1: `so long at`: name the number"]),
        ("a.rs", "/// What has ended.", &["1: `/// What h`: begin with a noun"]),
        ("a.rs", "/// Has the next insert wake it.", &["1: `/// Has`: begin with Returns"]),
        ("a.rs", "/// Gives it.\n/// Tells whether it ended.", &["1: `/// Gives`", "2: `/// Tells`"]),
        ("a.rs", "// The job is in hand.", &["1: `in hand`: the usual term is"]),
        ("a.rs", "// Looks for jobs.", &["1: `Looks for`: the usual term is"]),
        ("a.rs", "/// Waits for so many as `n`, as `nobody`.\nlet nobody = \"http://whoever\";", &[]),
        // Sleeping.
        ("a/tests/x.rs", "//! X.\ntokio::time::sleep(d).await;", &["2: `sleep(`: a test does not sleep"]),
        ("a/src/x.rs", tests, &["5: `sleep_until(`: a test does not sleep"]),
        ("a/src/x.rs", no_tests, &[]),
        ("queue-conformance/src/conformance/x.rs", "sleep(d);", &["1: `sleep(`: a test does not sleep"]),
        ("a/tests/x.rs", "//! X.\nsleep(d); // The time is virtual.\nasync fn sleep(&self) {}", &[]),
        ("examples/a.rs", "sleep(d);\n// sleep(d)\nasleep();", &["1: `sleep(`: an example does not"]),
        // Length.
        ("examples/a.rs", &["x();\n\n// y\n"; 41].concat(), &["121: more than 40 lines: a small"]),
        ("examples/a.rs", &["x();\n\n// y\n"; 40].concat(), &[]),
        ("examples/stock/a.rs", &["x();\n"; 41].concat(), &[]),
        ("a/src/x.rs", &"// x\n".repeat(501), &["501: more than 500 lines: split the file by noun"]),
        ("a/src/x.rs", &("// x\n".repeat(490) + tests + &"// x\n".repeat(90)), &["495: `sleep_until("]),
        // Manifests.
        ("a/Cargo.toml", "[lints]\n# workspace = true", &["1: a line is missing: the work"]),
        ("a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n", &[]),
        ("a/Cargo.toml", "lints.workspace = true\n[dependencies]\nqueue-core.workspace = true", &[]),
        ("queue-macros/tests/crates/a/Cargo.toml", "[package]", &[]),
        (
            "a/Cargo.toml",
            dev_dependencies,
            &["4: `queue-b.workspace`: a dev-dep", "5: `queue-c", "6: `queue-d"],
        ),
        // Test files.
        ("a/tests/one.rs", "#[test]\nfn f() {}", &["1: a line is missing: open the file with a `//!` line"]),
        ("a/tests/ui/pass/two.rs", "fn f() {}", &[]),
        ("a/tests/x/c.rs", "//! C.", &["1: a/tests/x/main.rs is missing: nothing runs this file"]),
        // Layers.
        ("queue-core/src/contract/a.rs", "use crate::attempt::A;", &["1: `crate::attempt`: this layer"]),
        ("queue-core/src/runner.rs", "use crate::services::S;\nuse crate::table::T;", &["2: `crate::table`"]),
        ("queue-core/src/table.rs", "/// [`A`](crate::runner)\ncrate::backend::B;", &["2: `crate::backend`"]),
        ("queue-core/src/table.rs", "#[cfg(test)]\nmod tests {\n    use crate::runner::R;\n}", &[]),
        ("queue-core/src/lib.rs", "pub use crate::runner::Jobs;", &[]),
    ];
    samples.iter().for_each(|sample| assert_problems(&[*sample]));
}

#[test]
fn files_that_belong_together() {
    assert_problems(&[("a/tests/it/main.rs", "//! M.", &[]), ("a/tests/it/b/c.rs", "//! C.", &[])]);
    assert_problems(&[
        ("a/src/lib.rs", "#[cfg(all(test, queue_loom))]\nmod models;", &[]),
        ("a/src/models.rs", "sleep(d);", &["1: `sleep(`"]),
    ]);
    assert_problems(&[
        ("queue-core/src/a.rs", "pub struct Place;\nstruct Shared;\n    type A = u32;", &[]),
        ("queue-tokio/src/b.rs", "enum Place {}\nstruct Shared;\n    type A = u32;", &["1: `Place` is also"]),
        ("queue-testkit/src/c.rs", "struct Place;", &[]),
    ]);
}

const CYCLE: &str = "1: these modules use each other";

#[test]
fn modules_that_use_each_other() {
    assert_problems(&[
        ("queue-core/src/a.rs", "use crate::{\n    b::{B, C},\n    d,\n};", &[CYCLE]),
        ("queue-core/src/b.rs", "fn b() {\n    super::a::A\n}", &[]),
    ]);
    assert_problems(&[
        ("queue-sqlite/src/a.rs", "mod part;", &[CYCLE]),
        ("queue-sqlite/src/a/part.rs", "use crate::b::B;", &[]),
        ("queue-sqlite/src/b.rs", "use crate::a::A;", &[]),
    ]);
    // By a re-export.
    assert_problems(&[
        ("queue-testkit/src/a.rs", "mod b;\nmod c;\npub use b::B;\npub struct A;", &[]),
        ("queue-testkit/src/a/b.rs", "use super::c::C;\nuse super::A;", &[CYCLE]),
        ("queue-testkit/src/a/c.rs", "use super::B;", &[]),
    ]);
    // A module and its parts are one noun. Comments and tests may use anything.
    assert_problems(&[
        ("queue-core/src/lib.rs", "mod a;\nmod b;\npub use a::A;", &[]),
        ("queue-core/src/a.rs", "mod part;\n/// As [`B`](crate::b::B).\npub struct A;", &[]),
        ("queue-core/src/a/part.rs", "#[cfg(test)]\nmod tests {\n    use crate::b;\n}", &[]),
        ("queue-core/src/a/other.rs", "#[cfg(test)]\nuse crate::b::B;", &[]),
        ("queue-core/src/b.rs", "use crate::A;", &[]),
    ]);
}

#[test]
fn laws() {
    assert_eq!(problems(&[]).len(), 1, "a missing list");
    let laws = "# Laws\n- **Q1** One.\n- **Q2** Two.\n  More.\n- **D1** (later) Three.\n";
    let no_test = ["2: no test names Q1", "3: no test names Q2"];
    for (laws, problems, test, problems_of_test) in [
        (laws, &no_test[1..], "/// Q1 One.\nfn one() {}", &[][..]),
        (laws, &[], "/// Q1 and (Q2).", &[]),
        (laws, &[], "laws! { push {\n    q1_one,\n    q2_two,\n} }", &[]),
        (laws, &no_test, "/// The laws Q1–Q2 and Q1..Q2.\nstruct Q1; let s = \"Q2\";", &[]),
        (laws, &[], "/// Q1, Q2.\n/// Q7. Z7 is no letter of ours.", &["3: docs/laws.md has no Q7"]),
        ("- **Q2** Two.\n- **Q1** One.", &["2: Q1 stands after a later law"], "// Q1 Q2", &[]),
        ("## A\n- **Q2** Two.\n## B\n- **Q1** One.", &[], "// Q1 Q2", &[]),
        ("- **Q2** Two.\n## B\n- **Q2** Two.", &["3: Q2 is given twice"], "// Q2", &[]),
    ] {
        let test = format!("//! X.\n{test}");
        assert_problems(&[("docs/laws.md", laws, problems), ("a/tests/x.rs", &test, problems_of_test)]);
    }
    assert_problems(&[("docs/laws.md", laws, &no_test), ("a/src/x.rs", "/// Q1 Q2", &[])]);
}
