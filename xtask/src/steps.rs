//! A check as a list of steps: each is named and timed, and the first that fails ends the run.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cargo::Cargo;
use crate::workspace::Workspace;

/// One step of a check.
pub(crate) struct Step {
    pub(crate) name: String,
    action: Action,
    /// What to do when it fails.
    remedy: &'static str,
}

enum Action {
    Cargo(Cargo),
    Call(fn(&Workspace) -> anyhow::Result<()>),
}

impl Step {
    /// A step that is a call of cargo.
    pub(crate) fn cargo(name: &str, call: Cargo, remedy: &'static str) -> Self {
        Self { name: name.to_owned(), action: Action::Cargo(call), remedy }
    }

    /// A step that is a function of ours.
    pub(crate) fn call(name: &str, call: fn(&Workspace) -> anyhow::Result<()>, remedy: &'static str) -> Self {
        Self { name: name.to_owned(), action: Action::Call(call), remedy }
    }

    fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        match &self.action {
            Action::Cargo(call) => call.run(workspace),
            Action::Call(call) => call(workspace),
        }
    }

    /// The line that announces the step.
    fn title(&self, number: usize, count: usize) -> String {
        match &self.action {
            Action::Cargo(call) => format!("[{number}/{count}] {}: {call}", self.name),
            Action::Call(_) => format!("[{number}/{count}] {}", self.name),
        }
    }
}

/// Runs the steps in order, up to the first that fails, and says how long each took.
pub(crate) fn run(steps: Vec<Step>, workspace: &Workspace) -> anyhow::Result<()> {
    let count = steps.len();
    let mut times: Vec<(String, Duration)> = Vec::new();
    for (number, step) in (1..).zip(steps) {
        println!("\n{}", step.title(number, count));
        let start = Instant::now();
        let result = step.run(workspace);
        let took = start.elapsed();
        println!("[{number}/{count}] {} took {}", step.name, seconds(took));
        if result.is_err() {
            print!("\n{}", summary(&times));
        }
        result.with_context(|| format!("step `{}` failed ({})", step.name, step.remedy))?;
        times.push((step.name, took));
    }
    print!("\n{}", summary(&times));
    Ok(())
}

/// The steps that passed, each with its time, and their sum.
fn summary(times: &[(String, Duration)]) -> String {
    let mut text = String::new();
    let total: Duration = times.iter().map(|(_, took)| took).sum();
    let rows = times.iter().map(|(name, took)| (name.as_str(), *took)).chain([("all that passed", total)]);
    for (name, took) in rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:>10}  {name}", seconds(took));
    }
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn the_first_step_that_fails_ends_the_run_with_its_name_and_remedy() {
        let workspace = Workspace::load().unwrap();
        let steps = vec![
            Step::call("one", |_| Ok(()), ""),
            Step::call("two", |_| bail!("it is broken"), "mend it"),
            Step::call("three", |_| panic!("a step after a failed one was run"), ""),
        ];

        let error = run(steps, &workspace).unwrap_err();

        assert_eq!(format!("{error:#}"), "step `two` failed (mend it): it is broken");
    }

    #[test]
    fn the_summary_has_a_row_for_each_step_and_their_sum() {
        let times =
            [("one".to_owned(), Duration::from_millis(1500)), ("two".to_owned(), Duration::from_secs(100))];

        assert_eq!(summary(&times), "     1.5 s  one\n   100.0 s  two\n   101.5 s  all that passed\n");
    }
}
