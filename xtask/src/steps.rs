//! A check as a list of steps: each is named and timed, and the first that fails ends the run.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use wait_timeout::ChildExt as _;

use crate::workspace::Workspace;

type Action = Box<dyn Fn(&Workspace) -> Result<()>>;

/// One step of a check.
pub(crate) struct Step {
    pub(crate) title: String,
    action: Action,
    /// The advice when it fails.
    remedy: &'static str,
}

impl Step {
    /// Creates a step that calls a function.
    pub(crate) fn new(title: &str, action: fn(&Workspace) -> Result<()>, remedy: &'static str) -> Self {
        Self { title: title.to_owned(), action: Box::new(action), remedy }
    }

    /// Creates a step that calls a program.
    pub(crate) fn call(name: &str, call: Call, remedy: &'static str) -> Self {
        Self {
            title: format!("{name}: {call}"),
            action: Box::new(move |workspace| call.run(workspace)),
            remedy,
        }
    }
}

/// Runs the steps in order, up to the first that fails, and prints how long each took.
pub(crate) fn run(steps: &[Step], workspace: &Workspace) -> Result<()> {
    let (begin, count) = (Instant::now(), steps.len());
    for (number, Step { title, remedy, action }) in (1..).zip(steps) {
        println!("\n[{number}/{count}] {title}");
        let start = Instant::now();
        let result = action(workspace);
        let name = title.split(':').next().unwrap_or(title);
        let (took, total) = (start.elapsed().as_secs_f64(), begin.elapsed().as_secs_f64());
        println!("[{number}/{count}] {name} took {took:.1} s of {total:.1} s");
        result.with_context(|| format!("step `{name}` failed ({remedy})"))?;
    }
    Ok(())
}

/// A call of a program at the root of the workspace.
pub(crate) struct Call {
    program: OsString,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    limit: Duration,
}

/// Creates a call of the cargo that runs this program, with the words of `line`.
pub(crate) fn cargo(line: &str) -> Call {
    Call::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), line)
}

impl Call {
    /// Creates a call with the words of `line`.
    pub(crate) fn new(program: impl Into<OsString>, line: &str) -> Self {
        let arguments = line.split_whitespace().map(str::to_owned).collect();
        Self { program: program.into(), arguments, environment: Vec::new(), limit: Duration::MAX }
    }

    /// Adds arguments as they are, blanks included.
    pub(crate) fn with_arguments(mut self, arguments: &[String]) -> Self {
        self.arguments.extend_from_slice(arguments);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((variable, value.into()));
        self
    }

    /// Sets the time after which the program is killed and the call fails.
    pub(crate) fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    pub(crate) fn run(&self, workspace: &Workspace) -> Result<()> {
        let mut command = Command::new(&self.program);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.args(&self.arguments).envs(environment).current_dir(&workspace.root);
        let mut child = command.spawn().with_context(|| format!("could not start `{self}`"))?;
        let Some(status) = child.wait_timeout(self.limit)? else {
            child.kill()?;
            child.wait()?;
            bail!("`{self}` did not end within {} s, and was killed", self.limit.as_secs());
        };
        ensure!(status.success(), "`{self}` ended with {status}");
        Ok(())
    }
}

/// Writes the line that repeats the call.
impl std::fmt::Display for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.environment {
            write!(formatter, "{name}=\"{value}\" ")?;
        }
        let program = Path::new(&self.program).file_name().unwrap_or(&self.program);
        write!(formatter, "{} {}", program.display(), self.arguments.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_that_fails_ends_the_run_with_its_call_and_remedy() {
        let steps = [
            Step::new("one", |_| Ok(()), ""),
            Step::call("two", cargo("no-such-command").with("FLAGS", "-D warnings"), "mend it"),
            Step::new("three", |_| panic!("a step after a failed one was run"), ""),
        ];

        let error = format!("{:#}", run(&steps, &Workspace::load().unwrap()).unwrap_err());

        let expected =
            "step `two` failed (mend it): `FLAGS=\"-D warnings\" cargo no-such-command` ended with";
        assert!(error.starts_with(expected), "{error}");
    }
}
