//! Finds the programs of the servers, and says how to install them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::ServerError;

/// The oldest supported version of PostgreSQL.
const OLDEST: u32 = 13;

const POSTGRES: &str =
    "install PostgreSQL 13 or later, as with `apt-get install postgresql` or `brew install postgresql`";
const PGBOUNCER: &str = "install it, as with `apt-get install pgbouncer` or `brew install pgbouncer`";
const CHROMIUM: &str = "install Chromium and its driver of the same version, as with `apt-get install chromium chromium-driver` or \
     `brew install chromium chromedriver`";

const TMUX: &str = "install it, as with `apt-get install tmux` or `brew install tmux`";

/// A program that tests need and that is not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The program.
    pub program: &'static str,
    /// Its package on Debian and Ubuntu.
    pub package: &'static str,
    /// How to install it.
    pub remedy: &'static str,
}

/// Returns the programs that tests need and that are not installed.
#[must_use]
pub fn missing() -> Vec<Missing> {
    let mut missing = Vec::new();
    if postgres().is_err() {
        missing.push(Missing { program: "postgres", package: "postgresql", remedy: POSTGRES });
    }
    if pgbouncer().is_err() {
        missing.push(Missing { program: "pgbouncer", package: "pgbouncer", remedy: PGBOUNCER });
    }
    if browser().is_err() {
        missing.push(Missing {
            program: "chromedriver",
            package: "chromium chromium-driver",
            remedy: CHROMIUM,
        });
    }
    if tmux().is_err() {
        missing.push(Missing { program: "tmux", package: "tmux", remedy: TMUX });
    }
    missing
}

/// Returns the folder with PostgreSQL's programs, of the newest version.
pub(crate) fn postgres() -> Result<PathBuf, ServerError> {
    let mut folders = on_the_path("initdb");
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr"] {
        let Ok(children) = std::fs::read_dir(parent) else { continue };
        folders.extend(children.flatten().map(|child| child.path().join("bin")));
    }
    newest(folders)
}

/// Returns the folder with the newest version, if it is supported.
pub(crate) fn newest(folders: Vec<PathBuf>) -> Result<PathBuf, ServerError> {
    let version = |folder: &PathBuf| version(&folder.join("postgres"));
    let found = folders.into_iter().filter(|folder| folder.join("initdb").exists());
    let newest = found.filter_map(|folder| version(&folder).map(|version| (version, folder))).max();
    match newest {
        Some((version, folder)) if version >= OLDEST => Ok(folder),
        Some(_) | None => Err(ServerError::Missing { program: "postgres", remedy: POSTGRES }),
    }
}

/// Returns the path of another program of PostgreSQL. A folder may contain links to the server's programs only.
pub(crate) fn beside(folder: &Path, program: &str) -> PathBuf {
    let server = folder.join("postgres").canonicalize();
    let parent = server.ok().and_then(|server| server.parent().map(Path::to_owned));
    parent.unwrap_or_else(|| folder.to_owned()).join(program)
}

/// Returns the path of PgBouncer.
pub(crate) fn pgbouncer() -> Result<PathBuf, ServerError> {
    let mut folders = on_the_path("pgbouncer");
    folders.extend(["/usr/sbin", "/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from));
    let found = folders.into_iter().map(|folder| folder.join("pgbouncer")).find(|program| program.exists());
    found.ok_or(ServerError::Missing { program: "pgbouncer", remedy: PGBOUNCER })
}

/// Returns the path of tmux.
pub(crate) fn tmux() -> Result<PathBuf, ServerError> {
    let folders = on_the_path("tmux").into_iter().chain(["/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join("tmux")).find(|program| program.exists());
    found.ok_or(ServerError::Missing { program: "tmux", remedy: TMUX })
}

/// The programs of a browser.
pub(crate) struct BrowserPrograms {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

/// Returns the paths of Chromium and its driver.
pub(crate) fn browser() -> Result<BrowserPrograms, ServerError> {
    let find = |names: [&'static str; 3]| {
        let found = |name: &'static str| {
            let folders =
                on_the_path(name).into_iter().chain(["/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from));
            folders.map(|folder| folder.join(name)).find(|program| program.exists())
        };
        names
            .into_iter()
            .find_map(found)
            .ok_or(ServerError::Missing { program: "chromedriver", remedy: CHROMIUM })
    };
    let chromium = find(["chromium", "chromium-browser", "google-chrome"])?;
    Ok(BrowserPrograms {
        chromium,
        driver: find(["chromedriver", "chromium-driver", "chromium.chromedriver"])?,
    })
}

fn on_the_path(program: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| folder.join(program).exists()).collect()
}

/// Parses `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(2)?.split(['.', 'b', 'r', 'd']).next()?.parse().ok()
}
