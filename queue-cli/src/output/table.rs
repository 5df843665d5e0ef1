//! Aligned columns on a terminal, and lines with tabs elsewhere.

use std::io::{self, Write};

use console::{Alignment, Style, Term, measure_text_width, pad_str, truncate_str};

use super::cell::Cell;

/// The space between two columns.
const GAP: &str = "  ";

/// A table that is printed in parts. The first part sets the widths.
pub(super) struct Table {
    headers: &'static [&'static str],
    widths: Option<Vec<usize>>,
}

impl Table {
    pub(super) const fn new(headers: &'static [&'static str]) -> Self {
        Self { headers, widths: None }
    }

    /// Prints rows, the first time with the titles.
    pub(super) fn write(&mut self, out: &mut impl Write, rows: &[Vec<Cell>]) -> io::Result<()> {
        let titles: Vec<_> = self.headers.iter().map(Cell::text).collect();
        let is_first = self.widths.is_none();
        let widths = self.widths.get_or_insert_with(|| widths(&titles, rows));
        if is_first {
            let numbers = rows.first();
            let is_number =
                |column: usize| numbers.and_then(|row| row.get(column)).is_some_and(|cell| cell.is_number);
            let title = |(column, cell): (usize, Cell)| {
                Cell { is_number: is_number(column), ..cell }.style(Style::new().bold())
            };
            let titles: Vec<_> = titles.into_iter().enumerate().map(title).collect();
            write_row(out, &titles, widths)?;
        }
        rows.iter().try_for_each(|row| write_row(out, row, widths))
    }
}

/// Prints the fields of one thing, each on a line behind its name.
pub(super) fn write_fields(out: &mut impl Write, fields: &[(String, Cell)]) -> io::Result<()> {
    let width = fields.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0);
    for (name, cell) in fields {
        let name = Cell::text(name).style(Style::new().bold());
        writeln!(out, "{}{GAP}{}", styled(&name, width), cell.style.apply_to(cell.readable()))?;
    }
    Ok(())
}

/// Prints fields with tabs between them.
pub(super) fn write_line(out: &mut impl Write, cells: &[Cell]) -> io::Result<()> {
    let texts: Vec<_> = cells.iter().map(|cell| cell.text.as_str()).collect();
    writeln!(out, "{}", texts.join("\t"))
}

fn widths(titles: &[Cell], rows: &[Vec<Cell>]) -> Vec<usize> {
    let of_column = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(titles.get(column));
        cells.map(|cell| measure_text_width(cell.readable())).max().unwrap_or(0)
    };
    (0..titles.len()).map(of_column).collect()
}

/// Prints a row. The last column is as wide as the terminal leaves room for.
fn write_row(out: &mut impl Write, row: &[Cell], widths: &[usize]) -> io::Result<()> {
    let last = row.len().saturating_sub(1);
    let mut used = 0;
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        if column < last {
            write!(out, "{}{GAP}", styled(cell, *width))?;
            used += width + GAP.len();
        } else if cell.is_number {
            write!(out, "{}", styled(cell, *width))?;
        } else {
            let room = usize::from(Term::stdout().size().1).saturating_sub(used).max(20);
            write!(out, "{}", cell.style.apply_to(truncate_str(cell.readable(), room, "…")))?;
        }
    }
    writeln!(out)
}

/// Returns the text of a cell in its style, padded to a width.
fn styled(cell: &Cell, width: usize) -> String {
    let side = if cell.is_number { Alignment::Right } else { Alignment::Left };
    cell.style.apply_to(pad_str(cell.readable(), width, side, None)).to_string()
}
