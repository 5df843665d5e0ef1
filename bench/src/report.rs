//! The report: targets, tables with a chart each, and the machine.

mod admin;
mod bloat;
mod chart;
mod machine;
mod quantity;
mod soak;
mod table;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Setup;
use crate::bloat::Outcome;
use crate::results::Results;
use crate::soak::SoakResult;
use crate::suite::Suite;
use crate::targets;

pub(crate) use machine::commit;
use table::Table;

/// The report of a run, on the terminal and in a file.
#[derive(Debug)]
pub(crate) struct Report {
    title: &'static str,
    /// The name of the run on the command line.
    word: &'static str,
    file: &'static str,
    facts: String,
    targets: Option<Table>,
    tables: Vec<Table>,
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
        Ok(Self {
            title: suite.title(),
            word: suite.word(),
            file: suite.file(),
            facts: machine::facts(suite, results, setup)?,
            targets: (!targets.is_empty()).then_some(targets),
            tables: tables::all(suite, results),
        })
    }

    /// Creates the report of the long run on a PostgreSQL server.
    pub(crate) fn of_bloat(outcome: &Outcome) -> anyhow::Result<Self> {
        Ok(Self {
            title: "Results, on a PostgreSQL server in the long run",
            word: "postgres-bloat",
            file: "RESULTS-postgres-bloat.md",
            facts: format!("{}- {}\n", machine::machine(Suite::Postgres)?, outcome.place),
            targets: None,
            tables: bloat::all(outcome),
        })
    }

    /// Creates the report of the operator's calls.
    pub(crate) fn of_admin(jobs: u64, outcomes: &[crate::admin::Outcome]) -> anyhow::Result<Self> {
        let disk = harness::filesystem(harness::scratch_folder());
        let places: String = outcomes
            .iter()
            .filter(|outcome| !outcome.place.is_empty())
            .map(|outcome| format!("- {}\n", outcome.place))
            .collect();
        Ok(Self {
            title: "Results, of an operator's calls",
            word: "admin",
            file: "RESULTS-admin.md",
            facts: format!("{}- the file on {disk}\n{places}", machine::machine(Suite::Curves)?),
            targets: None,
            tables: admin::all(jobs, outcomes),
        })
    }

    /// Creates the report of the soak.
    pub(crate) fn of_soak(soaks: &[SoakResult]) -> anyhow::Result<Self> {
        let disk = harness::filesystem(harness::scratch_folder());
        Ok(Self {
            title: "Results, in the long run",
            word: "soak",
            file: "RESULTS-soak.md",
            facts: format!(
                "{}- the file on {disk}\n- {}\n",
                machine::machine(Suite::Curves)?,
                Suite::Curves.note()
            ),
            targets: None,
            tables: soak::all(soaks),
        })
    }

    /// Returns the text for the terminal.
    fn text(&self) -> String {
        let sections: Vec<_> = self.tables.iter().chain(&self.targets).map(Table::markdown).collect();
        format!("{}\n{}", sections.join("\n"), self.facts)
    }

    /// Prints the report, and stores it if the run was complete; `whole` says which run is complete.
    pub(crate) fn publish(&self, is_whole: bool, whole: &str) -> anyhow::Result<()> {
        println!("{}", self.text());
        if is_whole {
            println!("Written to {}.", self.write()?.display());
        } else {
            println!("Not written: only {whole} is stored.");
        }
        Ok(())
    }

    /// Writes the file and its charts next to the manifest; files of other runs stay as they are.
    fn write(&self) -> anyhow::Result<PathBuf> {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let charts = home.join("charts");
        fs::create_dir_all(&charts)?;
        let mut text = format!(
            "# {}\n\nWritten by `cargo xtask bench {}`; [README.md](README.md) says what is measured.\n\n{}",
            self.title, self.word, self.facts
        );
        for table in self.targets.iter().chain(&self.tables) {
            text.push_str(&format!("\n{}", table.markdown()));
            if table.has_bars() {
                let file = format!("{}.svg", table.name());
                svg::save(charts.join(&file), &chart::draw(table))?;
                text.push_str(&format!("\n![{}](charts/{file})\n", table.title()));
            }
        }
        let path = home.join(self.file);
        fs::write(&path, text)?;
        Ok(path)
    }
}
