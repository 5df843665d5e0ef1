//! Calls of cargo, as data that reads like the command line.

use std::ffi::OsString;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, bail};
use wait_timeout::ChildExt as _;

use crate::workspace::Workspace;

/// One call of cargo, at the root of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cargo {
    arguments: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    limit: Option<Duration>,
}

/// A call with the words of `line`, which are apart by blanks.
pub(crate) fn cargo(line: &str) -> Cargo {
    Cargo {
        arguments: line.split_whitespace().map(str::to_owned).collect(),
        environment: Vec::new(),
        limit: None,
    }
}

impl Cargo {
    /// Adds arguments as they are, blanks included.
    pub(crate) fn with_arguments(mut self, arguments: &[String]) -> Self {
        self.arguments.extend_from_slice(arguments);
        self
    }

    /// Sets a variable for the call.
    pub(crate) fn with_variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Ends the call as a failure if it takes longer than `limit`.
    pub(crate) fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Runs it; anything but success is an error which names the call.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let mut child =
            self.command(workspace).spawn().with_context(|| format!("could not start `{self}`"))?;
        let ended = match self.limit {
            None => Some(child.wait()?),
            Some(limit) => child.wait_timeout(limit)?,
        };
        match (ended, self.limit) {
            (Some(status), _) => self.judge(status),
            (None, limit) => {
                child.kill().with_context(|| format!("could not end `{self}`"))?;
                child.wait()?;
                let seconds = limit.unwrap_or_default().as_secs();
                bail!("`{self}` did not end within {seconds} s, and was ended");
            }
        }
    }

    /// The command, to be run by the same cargo that runs us.
    pub(crate) fn command(&self, workspace: &Workspace) -> Command {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(program);
        command.args(&self.arguments).envs(self.environment.iter().copied()).current_dir(workspace.root());
        command
    }

    /// Takes the way that the call ended to a result.
    pub(crate) fn judge(&self, status: ExitStatus) -> anyhow::Result<()> {
        if status.success() {
            return Ok(());
        }
        bail!("`{self}` ended with {status}")
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

        assert_eq!(call.to_string(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
    }

    #[test]
    fn arguments_are_passed_on_as_they_are() {
        let call = cargo("test").with_arguments(&["a b".to_owned()]);

        assert_eq!(call.arguments, ["test", "a b"]);
    }

    #[test]
    fn a_call_that_fails_is_an_error_with_its_line() {
        let workspace = Workspace::load().unwrap();

        let error = cargo("no-such-command").run(&workspace).unwrap_err();

        assert!(error.to_string().starts_with("`cargo no-such-command` ended with"), "{error}");
    }
}
