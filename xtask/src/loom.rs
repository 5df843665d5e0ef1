//! The loom models: every interleaving of the in-memory queue's signal, up to a bound.
//!
//! Only the crate that holds the models is compiled with `cfg(loom)`.
//! Setting it in `RUSTFLAGS` would turn it on in tokio as well, which then lacks what the crate's other tests use.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use cargo_metadata::Message;

use crate::cargo::{Cargo, cargo};
use crate::workspace::Workspace;

/// Where the models are.
const MODELS: &str = "queue-tokio/src/memory/loom.rs";

/// The part of their tests' names which they share.
const FILTER: &str = "loom";

/// How many times loom switches threads where it need not; almost all bugs show with two or three.
const PREEMPTIONS: (&str, &str) = ("LOOM_MAX_PREEMPTIONS", "3");

/// Builds the models and runs them.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let models = workspace.root().join(MODELS);
    ensure!(models.is_file(), "{MODELS} is missing: the signal of the in-memory queue has its models there");
    let program = build(workspace)?;
    let count = count(&program)?;
    ensure!(count > 0, "no test in {MODELS} is built: is the module compiled under `cfg(all(test, loom))`?");
    let (name, default) = PREEMPTIONS;
    let preemptions = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    println!("models: {count}, each over all its interleavings with up to {preemptions} preemptions");
    let mut command = Command::new(&program);
    command.arg(FILTER).env(name, preemptions).current_dir(workspace.root());
    let status = command.status().with_context(|| format!("could not start {}", program.display()))?;
    ensure!(status.success(), "a loom model failed: the output above names it and the interleaving");
    Ok(())
}

/// Builds the unit tests of the crate under `cfg(loom)`, in a folder of their own so that no other build is undone.
fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let target = workspace.target().join("loom").to_string_lossy().into_owned();
    let call =
        cargo("rustc --package queue-tokio --lib --profile test --message-format json-render-diagnostics");
    let call = call.with_arguments(&["--target-dir", &target, "--", "--cfg", "loom"].map(str::to_owned));
    let mut child = call
        .command(workspace)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{call}`"))?;
    let Some(output) = child.stdout.take() else { bail!("`{call}` has no output to read") };
    let program = find_program(BufReader::new(output), &call)?;
    call.judge(child.wait()?)?;
    program.with_context(|| format!("`{call}` built no test program"))
}

/// Reads to the end what cargo says, and finds the test program in it.
fn find_program(output: impl std::io::BufRead, call: &Cargo) -> anyhow::Result<Option<PathBuf>> {
    let mut program = None;
    for message in Message::parse_stream(output) {
        let message = message.with_context(|| format!("could not read the output of `{call}`"))?;
        if let Message::CompilerArtifact(artifact) = message
            && artifact.profile.test
        {
            program = artifact.executable.map(PathBuf::from).or(program);
        }
    }
    Ok(program)
}

/// How many models the program holds.
fn count(program: &Path) -> anyhow::Result<usize> {
    let output = Command::new(program)
        .args([FILTER, "--list"])
        .output()
        .with_context(|| format!("could not start {}", program.display()))?;
    Ok(count_tests(&String::from_utf8_lossy(&output.stdout)))
}

fn count_tests(list: &str) -> usize {
    list.lines().filter(|line| line.ends_with(": test")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_from_their_list() {
        assert_eq!(count_tests("memory::loom::a: test\nmemory::loom::b: test\n\n2 tests, 0 benchmarks\n"), 2);
        assert_eq!(count_tests("0 tests, 0 benchmarks\n"), 0);
    }

    #[test]
    fn the_program_is_the_one_built_for_tests() {
        let artifact = |executable: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"a","manifest_path":"Cargo.toml","target":{{"kind":["lib"],"crate_types":["lib"],"name":"a","src_path":"lib.rs","edition":"2024","doc":true,"doctest":true,"test":true}},"profile":{{"opt_level":"0","debuginfo":1,"debug_assertions":true,"overflow_checks":true,"test":{test}}},"features":[],"filenames":[],"executable":{executable},"fresh":false}}"#
            )
        };
        let output =
            [artifact("\"build-script\"", false), artifact("\"models\"", true), artifact("null", false)];

        let program = find_program(output.join("\n").as_bytes(), &cargo("rustc")).unwrap();

        assert_eq!(program, Some(PathBuf::from("models")));
    }
}
