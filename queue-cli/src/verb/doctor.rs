//! `queue doctor`: what is wrong with a store, and the cure.

use clap::Args;
use console::{Color, Style};
use queue_core::Admin;
use queue_core::admin::{Finding, Severity};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::{Cell, Output, Record, Times};

/// Checks the schema, the settings and the content of the store
///
/// The exit code is 1 if something is to be cured.
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
            out.note("all is well")?;
        }
        let is_ill = findings.iter().any(|finding| finding.severity >= Severity::Warning);
        Ok(if is_ill { Exit::Refused } else { Exit::Done })
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
