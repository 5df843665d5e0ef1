//! The standard output of a verb: tables on a terminal, lines of fields elsewhere, JSON on request.

mod cell;
mod table;

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::time::SystemTime;

use queue_core::Timestamp;
use serde::Serialize;

pub(crate) use cell::{Cell, Rfc3339, Times, grouped, state_color};
use table::Table;

/// A record that a verb prints: a row of a table, a line of fields, or an object.
pub(crate) trait Record: Serialize {
    /// The titles of the columns.
    const HEADERS: &'static [&'static str];

    /// Returns a cell for each column.
    fn cells(&self, times: Times) -> Vec<Cell>;
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For a reader: aligned columns with titles and colours, and relative times.
    Table,
    /// For a pipe: fields with tabs between them, no titles, and absolute times.
    Lines,
    /// For a program: one object on each line.
    Json,
}

/// Standard output, in the form that suits its reader.
pub(crate) struct Output {
    form: Form,
    out: Box<dyn Write>,
    table: Option<Table>,
}

impl Output {
    /// Returns the standard output, as JSON if `--json` is passed.
    pub(crate) fn to_stdout(is_json: bool) -> Self {
        let form = match io::stdout().is_terminal() {
            _ if is_json => Form::Json,
            true => Form::Table,
            false => Form::Lines,
        };
        Self { form, out: Box::new(BufWriter::new(io::stdout())), table: None }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Returns whether a person reads the output.
    pub(crate) fn is_terminal(&self) -> bool {
        self.form == Form::Table
    }

    /// Returns how times are shown.
    pub(crate) fn times(&self) -> Times {
        match self.form {
            Form::Table => Times::Relative(Timestamp::from(SystemTime::now())),
            Form::Lines | Form::Json => Times::Absolute,
        }
    }

    /// Prints records. Those of a later call continue the same table.
    pub(crate) fn records<R: Record>(&mut self, records: &[R]) -> io::Result<()> {
        let times = self.times();
        match self.form {
            Form::Json => records.iter().try_for_each(|record| self.object(record)),
            Form::Lines => {
                records.iter().try_for_each(|record| table::write_line(&mut self.out, &record.cells(times)))
            }
            Form::Table => {
                if records.is_empty() {
                    return Ok(());
                }
                let rows: Vec<_> = records.iter().map(|record| record.cells(times)).collect();
                let table = self.table.get_or_insert_with(|| Table::new(R::HEADERS));
                table.write(&mut self.out, &rows)
            }
        }
    }

    /// Prints the fields of one record, each on a line, or `object`.
    pub(crate) fn fields(&mut self, object: &impl Serialize, fields: &[(String, Cell)]) -> io::Result<()> {
        match self.form {
            Form::Json => self.object(object),
            Form::Lines => fields.iter().try_for_each(|(name, cell)| {
                table::write_line(&mut self.out, &[Cell::text(name), cell.clone()])
            }),
            Form::Table => table::write_fields(&mut self.out, fields),
        }
    }

    /// Prints a sentence, or `object`.
    pub(crate) fn sentence(
        &mut self,
        object: &impl Serialize,
        sentence: impl std::fmt::Display,
    ) -> io::Result<()> {
        if self.is_json() { self.object(object) } else { self.text(sentence) }
    }

    /// Prints a line of text.
    pub(crate) fn text(&mut self, line: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Prints an object in one line.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, object)?;
        writeln!(self.out)
    }

    /// Prints a note to standard error, if a person reads the output.
    pub(crate) fn note(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        if self.is_terminal() {
            self.out.flush()?;
            writeln!(io::stderr(), "{text}")?;
        }
        Ok(())
    }

    /// Prints what the operator can do, to standard error, unless a program reads JSON.
    pub(crate) fn hint(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        if !self.is_json() {
            self.out.flush()?;
            writeln!(io::stderr(), "{text}")?;
        }
        Ok(())
    }

    /// Flushes the output.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
