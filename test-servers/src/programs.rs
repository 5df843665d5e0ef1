//! Where the programs are that servers are made of, and how to get them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::ServerError;

/// The oldest PostgreSQL that is supported.
const OLDEST: u32 = 13;

const POSTGRES: &str =
    "install PostgreSQL 13 or later, as with `apt-get install postgresql` or `brew install postgresql`";
const PGBOUNCER: &str = "install it, as with `apt-get install pgbouncer` or `brew install pgbouncer`";

/// A program that tests need and that this machine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The program.
    pub program: &'static str,
    /// The package that has it, on Debian and Ubuntu.
    pub package: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// Tells what tests need and this machine lacks.
#[must_use]
pub fn missing() -> Vec<Missing> {
    let mut missing = Vec::new();
    if postgres().is_err() {
        missing.push(Missing { program: "postgres", package: "postgresql", remedy: POSTGRES });
    }
    if pgbouncer().is_err() {
        missing.push(Missing { program: "pgbouncer", package: "pgbouncer", remedy: PGBOUNCER });
    }
    missing
}

/// Finds the folder with PostgreSQL's programs, the newest of several.
pub(crate) fn postgres() -> Result<PathBuf, ServerError> {
    let mut folders = on_the_path("initdb");
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr"] {
        let Ok(children) = std::fs::read_dir(parent) else { continue };
        folders.extend(children.flatten().map(|child| child.path().join("bin")));
    }
    let version = |folder: &PathBuf| version(&folder.join("postgres"));
    let found = folders.into_iter().filter(|folder| folder.join("initdb").exists());
    let newest = found.filter_map(|folder| version(&folder).map(|version| (version, folder))).max();
    match newest {
        Some((version, folder)) if version >= OLDEST => Ok(folder),
        Some(_) | None => Err(ServerError::Missing { program: "postgres", remedy: POSTGRES }),
    }
}

/// Returns the path of another program of PostgreSQL. A folder may have links to the server's programs alone.
pub(crate) fn beside(folder: &Path, program: &str) -> PathBuf {
    let server = folder.join("postgres").canonicalize();
    let parent = server.ok().and_then(|server| server.parent().map(Path::to_owned));
    parent.unwrap_or_else(|| folder.to_owned()).join(program)
}

/// Finds PgBouncer.
pub(crate) fn pgbouncer() -> Result<PathBuf, ServerError> {
    let mut folders = on_the_path("pgbouncer");
    folders.extend(["/usr/sbin", "/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from));
    let found = folders.into_iter().map(|folder| folder.join("pgbouncer")).find(|program| program.exists());
    found.ok_or(ServerError::Missing { program: "pgbouncer", remedy: PGBOUNCER })
}

fn on_the_path(program: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| folder.join(program).exists()).collect()
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(2)?.split(['.', 'b', 'r', 'd']).next()?.parse().ok()
}
