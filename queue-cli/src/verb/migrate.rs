//! `queue migrate`: the version of the schema, its SQL, and its migration.

use clap::Args;
use queue_core::backend::SchemaStatus;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::store::Store;

/// Creates the store, or brings its schema up to date
#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// Prints the version of the schema, and changes nothing; the exit code is 1 if a migration is missing
    #[arg(long, conflicts_with = "sql")]
    status: bool,
    /// Prints the missing migrations as SQL, and changes nothing
    #[arg(long)]
    sql: bool,
}

/// The versions of the schema and of this program.
#[derive(Serialize)]
struct SchemaLine {
    /// The version of the schema; 0 if there is none.
    version: usize,
    /// The version that this program creates.
    latest: usize,
    /// The lowest version of a program that works with the schema.
    min_program_version: usize,
    is_current: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sql: Option<String>,
}

impl SchemaLine {
    fn new(status: &SchemaStatus) -> Self {
        Self {
            version: status.found.version,
            latest: status.latest,
            min_program_version: status.found.min_program_version,
            is_current: status.is_current(),
            sql: None,
        }
    }
}

impl Migrate {
    pub(crate) async fn run(self, store: &Store, out: &mut Output) -> Result<Exit, Failure> {
        let before = store.schema_status().await?;
        let line = SchemaLine::new(&before);
        if self.sql {
            let script = before.script.trim_end().to_owned();
            out.sentence(&SchemaLine { sql: Some(script.clone()), ..line }, script)?;
            return Ok(Exit::Done);
        }
        if self.status {
            out.sentence(&line, said(&before))?;
            return Ok(if before.is_current() { Exit::Done } else { Exit::Refused });
        }
        store.migrate().await?;
        let after = store.schema_status().await?;
        let text = match before.is_current() {
            true => said(&after),
            false => format!(
                "migrated the schema from version {} to {}",
                before.found.version, after.found.version
            ),
        };
        out.sentence(&SchemaLine::new(&after), text)?;
        Ok(Exit::Done)
    }
}

fn said(status: &SchemaStatus) -> String {
    let (version, latest) = (status.found.version, status.latest);
    match version {
        0 => format!("there is no schema; this program creates version {latest}"),
        _ if status.is_current() => format!("the schema has version {version} and is up to date"),
        _ => format!("the schema has version {version}, and this program needs {latest}"),
    }
}
