//! A PostgreSQL server that all systems keep their jobs on, and what it has spent.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, Config, NoTls};

/// A server that the run has for itself, reached by a socket, by a user who may do everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// The folder with its socket.
    pub folder: PathBuf,
    /// Its first process, whose children are all others.
    pub process: u32,
}

/// By this variable the children of a run learn which server it has.
const VARIABLE: &str = "BENCH_SERVER";
const USER: &str = "postgres";

impl Server {
    /// Gives the name and the value of the variable by which a child finds the server.
    ///
    /// # Errors
    ///
    /// The folder's name is no text.
    pub fn variable(&self) -> anyhow::Result<(&'static str, String)> {
        Ok((VARIABLE, serde_json::to_string(self)?))
    }

    /// Finds the server of the run that this process belongs to.
    ///
    /// # Errors
    ///
    /// It belongs to none that has a server.
    pub fn of_the_run() -> anyhow::Result<Self> {
        let value = std::env::var(VARIABLE).with_context(|| format!("{VARIABLE} is not set"))?;
        Ok(serde_json::from_str(&value)?)
    }

    /// Gives the URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@localhost/{database}?host={}", self.folder.display())
    }

    /// Gives what `tokio-postgres` needs to connect to a database.
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
            // Whoever asks by the client learns of its end.
            drop(connection.await);
        });
        Ok(client)
    }

    /// Tells the CPU time of all its processes so far, of those that have ended too.
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

/// `/proc` counts in so many ticks a second on every Linux.
const TICKS: u32 = 100;

/// What `/proc` tells of a process.
struct Times {
    parent: u32,
    own: Duration,
    of_ended_children: Duration,
}

impl Times {
    fn of(process: u32) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in brackets, may have anything in it.
        let fields: Vec<_> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
        // Ticks are cut off for each process, and a peer has 40 of them: so what they use is read in nanoseconds.
        let used = fs::read_to_string(format!("/proc/{process}/schedstat")).ok()?;
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: Duration::from_nanos(used.split_whitespace().next()?.parse().ok()?),
            of_ended_children: Duration::from_secs(ticks(13)? + ticks(14)?) / TICKS,
        })
    }
}
