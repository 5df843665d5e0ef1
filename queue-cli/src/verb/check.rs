//! `queue check`: whether a program can run the stored jobs.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use queue_core::Admin;
use queue_core::check::{CheckReport, CheckedName};
use queue_tokio::{CheckError, JobCheck};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::filter::{FilterOptions, StateOption};
use crate::output::{Cell, Output, Record, Times, grouped};
use crate::progress;

/// Decodes stored payloads with a program, before it is deployed
///
/// The program must call `queue_tokio::answer_job_check` at the beginning of its `main`. Without a state, unfinished jobs are read.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The program
    #[arg(long, value_name = "PATH")]
    program: PathBuf,
    /// Arguments of the program
    #[arg(last = true)]
    arguments: Vec<OsString>,
    #[command(flatten)]
    filter: FilterOptions,
    /// Decodes this number of jobs of each name, instead of all
    #[arg(long, value_name = "JOBS")]
    sample: Option<u64>,
}

impl Check {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let mut check = JobCheck::of(&self.program).filter(self.filter.filter(&[StateOption::Unfinished]));
        for argument in self.arguments {
            check = check.arg(argument);
        }
        if let Some(jobs) = self.sample {
            check = check.sample(jobs);
        }
        let spinner = progress::spinner(String::new());
        let mut show = |jobs: u64| spinner.set_message(format!("{} jobs read", grouped(jobs)));
        let report = check.run(queue, &mut show).await;
        spinner.finish_and_clear();
        print(&report?, out)
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Store(error) => error.into(),
            error => Self::new(Exit::Refused, queue_core::backend::error_chain(&error)),
        }
    }
}

fn print(report: &CheckReport, out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        report.names.iter().try_for_each(|name| out.object(name))?;
    } else {
        let lines: Vec<_> = report.names.iter().flat_map(ProblemLine::of).collect();
        out.records(&lines)?;
    }
    let (checked, failed) = (grouped(report.checked), grouped(report.failed));
    out.note(format_args!("{failed} of {checked} jobs would fail"))?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::Refused })
}

/// A problem of a name, as a row. A name without a problem has one row, too.
#[derive(Serialize)]
struct ProblemLine {
    name: String,
    jobs: u64,
    reason: String,
    example: String,
}

impl ProblemLine {
    fn of(name: &CheckedName) -> Vec<Self> {
        let line = |jobs, reason: String, example| Self { name: name.name.clone(), jobs, reason, example };
        let mut lines: Vec<_> = name
            .problems
            .iter()
            .map(|problem| line(problem.count, problem.reason.clone(), problem.example.to_string()))
            .collect();
        let good = name.checked - name.failed;
        if good > 0 {
            lines.insert(0, line(good, "decoded".to_owned(), String::new()));
        }
        lines
    }
}

impl Record for ProblemLine {
    const HEADERS: &'static [&'static str] = &["NAME", "JOBS", "EXAMPLE", "RESULT"];

    fn cells(&self, _: Times) -> Vec<Cell> {
        vec![
            Cell::text(&self.name),
            Cell::number(self.jobs),
            Cell::text(&self.example),
            Cell::text(&self.reason),
        ]
    }
}
