//! The PostgreSQL server of a run, and its resource usage.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, Config, NoTls};

/// The server of a run, reached by a socket, as a superuser.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// The folder of its socket.
    pub folder: PathBuf,
    /// Its first process, the parent of all others.
    pub process: u32,
}

/// The environment variable by which the child processes of a run find the server.
const VARIABLE: &str = "BENCH_SERVER";
const USER: &str = "postgres";

impl Server {
    /// Returns the name and the value of the variable by which a child process finds the server.
    ///
    /// # Errors
    ///
    /// The folder's name is not UTF-8.
    pub fn variable(&self) -> anyhow::Result<(&'static str, String)> {
        Ok((VARIABLE, serde_json::to_string(self)?))
    }

    /// Returns the server of the run of this process.
    ///
    /// # Errors
    ///
    /// The run has no server.
    pub fn of_the_run() -> anyhow::Result<Self> {
        let value = std::env::var(VARIABLE).with_context(|| format!("{VARIABLE} is not set"))?;
        Ok(serde_json::from_str(&value)?)
    }

    /// Returns the URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@localhost/{database}?host={}", self.folder.display())
    }

    /// Returns the configuration for `tokio-postgres` to connect to a database.
    #[must_use]
    pub fn options(&self, database: &str) -> Config {
        let mut options = Config::new();
        options.host_path(&self.folder).user(USER).dbname(database);
        options
    }

    /// Connects to a database.
    ///
    /// # Errors
    ///
    /// The server can't be reached.
    pub async fn connect(&self, database: &str) -> anyhow::Result<Client> {
        let (client, connection) = self.options(database).connect(NoTls).await?;
        tokio::spawn(async move {
            // Callers of the client get the connection's error.
            drop(connection.await);
        });
        Ok(client)
    }

    /// Returns the CPU time of all its processes so far, including ended ones.
    ///
    /// # Errors
    ///
    /// The server has ended.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let server = Times::of(self.process).context("the server has ended")?;
        let mut all = server.own + server.of_ended_children;
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let child = Times::of(process).filter(|times| times.parent == self.process);
            all += child.map_or(Duration::ZERO, |times| times.own);
        }
        Ok(all)
    }
}

/// The ticks per second in `/proc`, the same on every Linux.
const TICKS: u32 = 100;

/// The times of a process in `/proc`.
struct Times {
    parent: u32,
    own: Duration,
    of_ended_children: Duration,
}

impl Times {
    fn of(process: u32) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in parentheses, may contain any character.
        let fields: Vec<_> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
        // Ticks are rounded down for each process, and a peer has 40 of them: so their usage is read in nanoseconds.
        let used = fs::read_to_string(format!("/proc/{process}/schedstat")).ok()?;
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: Duration::from_nanos(used.split_whitespace().next()?.parse().ok()?),
            of_ended_children: Duration::from_secs(ticks(13)? + ticks(14)?) / TICKS,
        })
    }
}
