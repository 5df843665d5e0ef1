//! Faults that replace the contents of a file.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use queue_conformance::durable::Outage;
use queue_sqlite::rusqlite::Connection;

/// The tables of a queue that change.
const TABLES: [&str; 4] = ["queue_names", "queue_jobs", "queue_payloads", "queue_failures"];

/// A fault of the file at `path`.
pub(crate) enum Replacement {
    /// The file and those beside it are removed.
    Removed { path: PathBuf },
    /// Another file takes its name.
    Replaced { path: PathBuf, copy: PathBuf },
    /// Another program empties its tables.
    Emptied { path: PathBuf },
    /// Another program empties its tables and fills them from a copy.
    Restored { path: PathBuf, copy: PathBuf },
}

/// Copies a file. Returns the faults of the file, some of which restore the copy.
pub(crate) fn of(path: &Path, copy: &Path) -> Vec<Box<dyn Outage>> {
    let connection = Connection::open(path).expect("the same file again");
    connection.execute("vacuum into ?1", [copy.to_str()]).expect("a copy");
    let (path, copy) = (path.to_owned(), copy.to_owned());
    vec![
        Box::new(Replacement::Removed { path: path.clone() }),
        Box::new(Replacement::Replaced { path: path.clone(), copy: copy.clone() }),
        Box::new(Replacement::Emptied { path: path.clone() }),
        Box::new(Replacement::Restored { path, copy }),
    ]
}

/// Returns the path with a suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(beside(path, suffix)).expect("a file");
    }
}

#[async_trait]
impl Outage for Replacement {
    fn name(&self) -> &str {
        match self {
            Self::Removed { .. } => "its files were removed",
            Self::Replaced { .. } => "its file was replaced by a copy",
            Self::Emptied { .. } => "its tables were emptied",
            Self::Restored { .. } => "its tables were restored from a copy",
        }
    }

    async fn begin(&self) {
        match self {
            Self::Removed { path } => remove(path),
            Self::Replaced { path, copy } => {
                remove(path);
                fs::rename(copy, path).expect("a file");
            }
            Self::Emptied { path } | Self::Restored { path, .. } => {
                let connection = Connection::open(path).expect("the same file again");
                let mut sql = String::from("begin immediate;");
                if let Self::Restored { copy, .. } = self {
                    let attach = connection.execute("attach ?1 as copy", [copy.to_str()]);
                    attach.expect("a copy");
                }
                for table in TABLES {
                    sql += &format!("delete from main.{table};");
                    if let Self::Restored { .. } = self {
                        sql += &format!("insert into main.{table} select * from copy.{table};");
                    }
                }
                connection.execute_batch(&(sql + "commit")).expect("tables");
            }
        }
    }

    async fn end(&self) {}
}
