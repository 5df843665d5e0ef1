//! Stores measurements as they are made, so that an interrupted run can continue.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use harness::Figures;
use serde::{Deserialize, Serialize};

use crate::Setup;
use crate::case::Case;
use crate::report;
use crate::suite::Suite;

/// The measurements of a suite, in a file of its own below `target`.
#[derive(Debug)]
pub(crate) struct Resume {
    /// The commit and size of the measurements; others are ignored.
    of: String,
    there: HashMap<(String, u32), Figures>,
    file: File,
}

#[derive(Serialize, Deserialize)]
struct Line {
    of: String,
    case: String,
    round: u32,
    figures: Figures,
}

impl Resume {
    /// Opens the file. It is emptied unless a run is to continue.
    pub(crate) fn open(suite: Suite, setup: &Setup) -> anyhow::Result<Self> {
        let of = format!("{}, {} jobs", report::commit(), setup.jobs.unwrap_or(suite.jobs()));
        let path = path(suite);
        let before = if setup.resume { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let mut there = HashMap::new();
        for line in before.lines() {
            let line: Line = serde_json::from_str(line)
                .context("the measurements of the interrupted run can't be read")?;
            if line.of == of {
                there.insert((line.case, line.round), line.figures);
            }
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(setup.resume)
            .truncate(!setup.resume)
            .write(true)
            .open(path)?;
        Ok(Self { of, there, file })
    }

    /// Returns the number of measurements from the interrupted run.
    pub(crate) fn count(&self) -> usize {
        self.there.len()
    }

    /// Returns an earlier measurement.
    pub(crate) fn find(&self, case: Case, round: u32) -> Option<Figures> {
        self.there.get(&(case.to_string(), round)).cloned()
    }

    /// Stores a measurement.
    pub(crate) fn add(&mut self, case: Case, round: u32, figures: &Figures) -> anyhow::Result<()> {
        let line = Line { of: self.of.clone(), case: case.to_string(), round, figures: figures.clone() };
        writeln!(self.file, "{}", serde_json::to_string(&line)?)?;
        Ok(())
    }
}

fn path(suite: Suite) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target").join(format!("resume-{}.jsonl", suite.word()))
}
