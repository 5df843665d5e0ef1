//! The PostgreSQL server of a run: its own, with the settings that it comes with.

use anyhow::ensure;
use test_servers::{Durability, Postgres};
use tokio::runtime::{Builder, Runtime};

/// One server for a whole run; it's stopped when it's dropped.
#[derive(Debug)]
pub(crate) struct Server(Postgres);

/// All that isn't as it comes: a peer opens a pool of 40 connections, and two of them may overlap.
const SETTINGS: [&str; 1] = ["max_connections=200"];

impl Server {
    /// Starts one whose commits are on the disk.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let server = Self(Postgres::start(Durability::Full, &SETTINGS)?);
        let folder = server.0.socket_folder();
        ensure!(
            !harness::is_in_memory(folder)?,
            "{} is in memory: set TMPDIR to a folder on a disk",
            folder.display()
        );
        Ok(server)
    }

    /// Gives the way to it.
    pub(crate) fn way(&self) -> anyhow::Result<harness::Server> {
        let process = self.0.process().ok_or_else(|| anyhow::anyhow!("the server has ended"))?;
        Ok(harness::Server { folder: self.0.socket_folder().to_owned(), process })
    }

    /// Gives the variable by which children of this process find it.
    pub(crate) fn variable(&self) -> anyhow::Result<(&'static str, String)> {
        self.way()?.variable()
    }

    /// Tells its version, its settings, and the disk that it's on.
    pub(crate) fn told(&self) -> anyhow::Result<String> {
        let way = self.way()?;
        let version: String = runtime()?.block_on(async move {
            let client = way.connect("postgres").await?;
            anyhow::Ok(client.query_one("select current_setting('server_version')", &[]).await?.get(0))
        })?;
        let disk = harness::filesystem(self.0.socket_folder());
        Ok(format!("PostgreSQL {version} on {disk}, all settings by default but {}", SETTINGS.join(", ")))
    }

    /// Kills it with all its processes.
    pub(crate) fn kill(&self) {
        self.0.kill();
    }

    /// Starts it again, and returns when it takes connections.
    pub(crate) fn restart(&self) -> anyhow::Result<()> {
        Ok(self.0.restart()?)
    }
}

/// Makes a runtime for what is asked of a server beside the measurements.
fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
