//! A table of the report, with the bars of its chart.

use harness::Series;

/// Rows under a header, as Markdown with aligned columns, readable on a terminal too.
#[derive(Debug)]
pub(super) struct Table {
    name: &'static str,
    title: String,
    note: String,
    rows: Vec<Vec<String>>,
    bars: Vec<Bar>,
}

/// A bar of the chart: the median and the spread.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) series: Series,
    /// Whether the system is one of this project.
    pub(super) own: bool,
}

impl Table {
    /// Creates a table; `name` is the name of its chart's file.
    pub(super) fn new(name: &'static str, title: impl Into<String>, note: impl Into<String>) -> Self {
        Self { name, title: title.into(), note: note.into(), rows: Vec::new(), bars: Vec::new() }
    }

    pub(super) fn header(&mut self, cells: &[&str]) {
        self.rows.insert(0, cells.iter().map(|&cell| cell.to_owned()).collect());
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn bar(&mut self, label: String, series: Option<&Series>, own: bool) {
        self.bars.extend(series.map(|series| Bar { label, series: series.clone(), own }));
    }

    pub(super) fn name(&self) -> &str {
        self.name
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn bars(&self) -> &[Bar] {
        &self.bars
    }

    pub(super) fn has_bars(&self) -> bool {
        !self.bars.is_empty()
    }

    /// Returns whether the table has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    pub(super) fn markdown(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.note);
        for (number, row) in self.rows.iter().enumerate() {
            text.push_str(&line(row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"))));
            if number == 0 {
                text.push_str(&line(widths.iter().map(|&width| "-".repeat(width))));
            }
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default().max(3)
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}
