//! `queue doctor`: the problems of a store, each with its cure.

use clap::Args;
use console::{Color, Style};
use queue_core::Admin;
use queue_core::admin::{Finding, Severity};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::{Cell, Output, Record, Times};

/// Checks the schema, the settings and the content of the store
///
/// The exit code is 1 if there is a warning or a fault.
#[derive(Args, Debug)]
pub(crate) struct Doctor {}

/// A finding in JSON, and as a row.
#[derive(Serialize)]
#[serde(transparent)]
struct FindingLine<'a>(&'a Finding);

impl Doctor {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let findings = queue.diagnose().await?;
        let lines: Vec<_> = findings.iter().map(FindingLine).collect();
        out.records(&lines)?;
        if findings.is_empty() {
            out.note("no problem was found")?;
        }
        let has_problem = findings.iter().any(|finding| finding.severity >= Severity::Warning);
        Ok(if has_problem { Exit::Refused } else { Exit::Done })
    }
}

impl Record for FindingLine<'_> {
    const HEADERS: &'static [&'static str] = &["SEVERITY", "CHECK", "FINDING", "CURE"];

    fn cells(&self, _: Times) -> Vec<Cell> {
        let color = if self.0.severity >= Severity::Warning { Color::Red } else { Color::White };
        vec![
            Cell::text(self.0.severity).style(Style::new().fg(color)),
            Cell::text(self.0.check),
            Cell::text(&self.0.what),
            Cell::text(&self.0.cure),
        ]
    }
}
