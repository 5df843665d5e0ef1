//! The forms of the output: tables on a terminal, lines in a pipe, completions.

use std::io::Read as _;
use std::process::Stdio;

use crate::store::{Store, TestResult, assert_golden, collapse, command, on_each_store, redact, run};
use crate::terminal::Terminal;

on_each_store!(
    a_terminal_gets_tables_and_relative_times,
    the_operator_is_asked_before_many_jobs_are_changed,
    a_reader_that_has_enough_is_no_failure,
);

async fn a_terminal_gets_tables_and_relative_times(store: &Store) -> TestResult {
    let mut screens = String::new();
    for line in ["status", "list", "show 00000004", "why 00000007", "list --state cancelled"] {
        let (code, screen) = Terminal::start(store, line).end();
        assert_eq!(code, 0, "{screen}");
        screens.push_str(&format!("$ queue {line}\n{}\n", collapse(&redact(screen.trim_end()))));
    }

    assert_golden("terminal", &screens);
    Ok(())
}

async fn the_operator_is_asked_before_many_jobs_are_changed(store: &Store) -> TestResult {
    let mut terminal = Terminal::start(store, "cancel --queue mail");
    terminal.wait_for("Cancel 4 jobs? [y/N]");
    terminal.press("n\n");
    let (code, screen) = terminal.end();
    assert!(code == 1 && screen.contains("nothing was changed"), "{screen}");

    let mut terminal = Terminal::start(store, "cancel --queue mail");
    terminal.wait_for("Cancel 4 jobs? [y/N]");
    terminal.press("y\n");
    let (code, screen) = terminal.end();
    assert!(code == 0 && screen.contains("4 of 4 jobs"), "{screen}");
    Ok(())
}

async fn a_reader_that_has_enough_is_no_failure(store: &Store) -> TestResult {
    let mut command = command();
    command.args(&store.options).args(["top", "--json", "--every", "1ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;

    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0; 10])?;
    drop(stdout);

    let output = child.wait_with_output()?;
    assert_eq!((output.status.code(), String::from_utf8(output.stderr)?.as_str()), (Some(0), ""));
    Ok(())
}

/// Colours mark states on a terminal, unless `NO_COLOR` is set.
#[tokio::test]
async fn no_color_is_obeyed() -> TestResult {
    let store = Store::sqlite().await?;

    let (_, colored) = Terminal::start(&store, "list").end_with_escapes();
    let (_, plain) = Terminal::start_with(&store, "list", &[("NO_COLOR", "1")]).end_with_escapes();

    assert!(colored.contains("\u{1b}[31mdiscarded"), "{colored:?}");
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    Ok(())
}

#[test]
fn completions_know_every_verb() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let printed = run(command().args(["completions", shell]), "");

        assert_eq!(printed.code, 0, "{}", printed.error);
        let verbs =
            ["status", "top", "list", "show", "why", "push", "retry", "cancel", "delete", "pause", "resume"];
        for verb in verbs.into_iter().chain(["wait", "export", "migrate", "completions"]) {
            assert!(printed.out.contains(verb), "{shell} lacks {verb}");
        }
    }
    let json = run(command().args(["completions", "fish", "--json"]), "");
    let line: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert!(
        line["shell"] == "fish" && line["script"].as_str().is_some_and(|script| script.contains("complete"))
    );
}
