//! The report: tables with a chart each, targets, and the machine that it was measured on.

mod chart;
mod machine;
mod quantity;
mod table;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Setup;
use crate::results::Results;
use crate::suite::Suite;
use crate::targets;

use table::Table;

/// What is told of a run, on the terminal and in the suite's file.
#[derive(Debug)]
pub(crate) struct Report {
    suite: Suite,
    tables: Vec<Table>,
    targets: Table,
    facts: String,
}

impl Report {
    pub(crate) fn new(suite: Suite, results: &Results, setup: &Setup) -> anyhow::Result<Self> {
        let mut targets = Table::new(
            "targets",
            "Targets",
            "Each is judged by the median of its rounds; the spread is in brackets.",
        );
        targets.header(&["target", "measured", ""]);
        for target in targets::judge(suite, results) {
            if !target.is_measured() && !setup.is_complete() {
                continue;
            }
            targets.row([target.text(), target.measured(), target.verdict().to_owned()]);
        }
        let facts = machine::facts(suite, results, setup)?;
        Ok(Self { suite, tables: tables::all(suite, results), targets, facts })
    }

    /// Gives what the terminal shows.
    pub(crate) fn text(&self) -> String {
        let tables: Vec<_> = self.tables.iter().map(Table::markdown).collect();
        format!("{}\n{}\n{}", tables.join("\n"), self.targets.markdown(), self.facts)
    }

    /// Writes the suite's file and its charts beside the manifest; those of other suites stay as they are.
    pub(crate) fn write(&self) -> anyhow::Result<PathBuf> {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let charts = home.join("charts");
        fs::create_dir_all(&charts)?;
        let mut text = format!(
            "# {}\n\nWritten by `cargo xtask bench {}`; what is measured is told in [README.md](README.md).\n\n{}\n",
            self.suite.title(),
            self.suite.word(),
            self.facts
        );
        text.push_str(&self.targets.markdown());
        for table in &self.tables {
            text.push_str(&format!("\n{}", table.markdown()));
            if table.has_bars() {
                let file = format!("{}.svg", table.name());
                svg::save(charts.join(&file), &chart::draw(table))?;
                text.push_str(&format!("\n![{}](charts/{file})\n", table.title()));
            }
        }
        let path = home.join(self.suite.file());
        fs::write(&path, text)?;
        Ok(path)
    }
}
