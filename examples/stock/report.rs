//! The stock report: a table and a chart.

mod chart;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use queue_core::{BoxError, Timestamp};

use crate::catalog::Entry;

/// The folder of the newest report, and of the tables of earlier days.
#[derive(Clone, Debug)]
pub struct Reports {
    folder: PathBuf,
}

impl Reports {
    /// Stores reports in an existing folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Returns the path of the table.
    #[must_use]
    pub fn table(&self) -> PathBuf {
        self.folder.join("stock.csv")
    }

    /// Returns the path of the chart.
    #[must_use]
    pub fn chart(&self) -> PathBuf {
        self.folder.join("stock.svg")
    }

    /// Keeps the table of a day in UTC, and returns its path: `stock-2026-11-29.csv`. It blocks.
    ///
    /// # Errors
    ///
    /// The file could not be written.
    pub fn keep(&self, day: Timestamp, entries: &[Entry]) -> Result<PathBuf, BoxError> {
        let text = day.to_string();
        let path = self.folder.join(format!("stock-{}.csv", text.split('T').next().unwrap_or(&text)));
        replace(&path, &table(entries)?)?;
        Ok(path)
    }

    /// Writes both files, each atomically: a reader finds the old or the new version. It blocks.
    ///
    /// # Errors
    ///
    /// A file could not be written.
    pub fn write(&self, entries: &[Entry]) -> Result<(), BoxError> {
        replace(&self.table(), &table(entries)?)?;
        replace(&self.chart(), chart::draw(entries)?.as_bytes())?;
        Ok(())
    }
}

fn table(entries: &[Entry]) -> Result<Vec<u8>, BoxError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["sku", "name", "price_cents", "stock", "value_cents"])?;
    for Entry { product, .. } in entries {
        let value = u64::from(product.price_cents) * u64::from(product.stock);
        table.serialize((&product.sku, &product.name, product.price_cents, product.stock, value))?;
    }
    Ok(table.into_inner()?)
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    fs::write(&draft, content)?;
    fs::rename(draft, path)
}
