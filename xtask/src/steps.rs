//! A check as a list of steps: each is named and timed, and the first that fails ends the run.

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use wait_timeout::ChildExt as _;

use crate::workspace::Workspace;

/// One step of a check.
pub(crate) struct Step {
    pub(crate) name: String,
    /// The advice when it fails.
    remedy: &'static str,
    action: Action,
}

enum Action {
    Cargo(Cargo),
    Call(fn(&Workspace) -> anyhow::Result<()>),
}

impl Step {
    /// Creates a step that calls cargo.
    pub(crate) fn cargo(name: &str, call: Cargo, remedy: &'static str) -> Self {
        Self { name: name.to_owned(), remedy, action: Action::Cargo(call) }
    }

    /// Creates a step that calls a function.
    pub(crate) fn call(name: &str, call: fn(&Workspace) -> anyhow::Result<()>, remedy: &'static str) -> Self {
        Self { name: name.to_owned(), remedy, action: Action::Call(call) }
    }

    /// Returns the line that announces the step.
    pub(crate) fn title(&self) -> String {
        match &self.action {
            Action::Cargo(call) => format!("{}: {call}", self.name),
            Action::Call(_) => self.name.clone(),
        }
    }
}

/// Runs the steps in order, up to the first that fails, and prints how long each took.
pub(crate) fn run(steps: &[Step], workspace: &Workspace) -> anyhow::Result<()> {
    let (begin, count) = (Instant::now(), steps.len());
    for (number, step) in (1..).zip(steps) {
        println!("\n[{number}/{count}] {}", step.title());
        let start = Instant::now();
        let result = match &step.action {
            Action::Cargo(call) => call.run(workspace),
            Action::Call(call) => call(workspace),
        };
        let (took, total) = (start.elapsed().as_secs_f64(), begin.elapsed().as_secs_f64());
        println!("[{number}/{count}] {} took {took:.1} s of {total:.1} s", step.name);
        result.with_context(|| format!("step `{}` failed ({})", step.name, step.remedy))?;
    }
    Ok(())
}

/// A call of cargo at the root of the workspace.
pub(crate) struct Cargo {
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    limit: Option<Duration>,
}

/// Creates a call with the words of `line`.
pub(crate) fn cargo(line: &str) -> Cargo {
    let arguments = line.split_whitespace().map(str::to_owned).collect();
    Cargo { arguments, environment: Vec::new(), limit: None }
}

impl Cargo {
    /// Adds arguments as they are, blanks included.
    pub(crate) fn with_arguments(mut self, arguments: &[String]) -> Self {
        self.arguments.extend_from_slice(arguments);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn with_variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Sets the time after which the call is killed and fails.
    pub(crate) fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Runs the call with the cargo that runs this program.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(workspace.root());
        let mut child = command.spawn().with_context(|| format!("could not start `{self}`"))?;
        let limit = self.limit.unwrap_or(Duration::MAX);
        let Some(status) = child.wait_timeout(limit)? else {
            child.kill()?;
            child.wait()?;
            bail!("`{self}` did not end within {} s, and was killed", limit.as_secs());
        };
        ensure!(status.success(), "`{self}` ended with {status}");
        Ok(())
    }
}

impl std::fmt::Display for Cargo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.environment {
            write!(formatter, "{name}=\"{value}\" ")?;
        }
        write!(formatter, "cargo {}", self.arguments.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_prints_as_the_line_that_repeats_it() {
        let call = cargo("doc --no-deps").with_variable("RUSTDOCFLAGS", "-D warnings");
        let call = call.with_arguments(&["--open".to_owned()]);

        assert_eq!(call.to_string(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps --open");
    }

    #[test]
    fn the_first_step_that_fails_ends_the_run_with_its_name_and_remedy() {
        let steps = [
            Step::call("one", |_| Ok(()), ""),
            Step::cargo("two", cargo("no-such-command"), "mend it"),
            Step::call("three", |_| panic!("a step after a failed one was run"), ""),
        ];

        let error = run(&steps, &Workspace::load().unwrap()).unwrap_err();

        let text = format!("{error:#}");
        assert!(
            text.starts_with("step `two` failed (mend it): `cargo no-such-command` ended with"),
            "{text}"
        );
    }
}
