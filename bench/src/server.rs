//! The PostgreSQL server of a run, with its default settings.

use anyhow::ensure;
use test_servers::{Durability, Postgres};
use tokio::runtime::{Builder, Runtime};

/// One server for a whole run; dropping it stops the server.
#[derive(Debug)]
pub(crate) struct Server(Postgres);

/// The settings that are not the default: a peer opens a pool of 40 connections, and two pools may overlap.
const SETTINGS: [&str; 1] = ["max_connections=200"];

impl Server {
    /// Starts a server whose commits reach the disk.
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

    /// Returns the address and process of the server.
    pub(crate) fn address(&self) -> anyhow::Result<harness::Server> {
        let process = self.0.process().ok_or_else(|| anyhow::anyhow!("the server has ended"))?;
        Ok(harness::Server { folder: self.0.socket_folder().to_owned(), process })
    }

    /// Returns the environment variable by which child processes find the server.
    pub(crate) fn variable(&self) -> anyhow::Result<(&'static str, String)> {
        self.address()?.variable()
    }

    /// Returns its version, its settings, and its disk.
    pub(crate) fn description(&self) -> anyhow::Result<String> {
        let address = self.address()?;
        let version: String = runtime()?.block_on(async move {
            let client = address.connect("postgres").await?;
            anyhow::Ok(client.query_one("select current_setting('server_version')", &[]).await?.get(0))
        })?;
        let disk = harness::filesystem(self.0.socket_folder());
        Ok(format!("PostgreSQL {version} on {disk}, default settings except {}", SETTINGS.join(", ")))
    }

    /// Kills the server with all its processes.
    pub(crate) fn kill(&self) {
        self.0.kill();
    }

    /// Starts the server again, and returns when it accepts connections.
    pub(crate) fn restart(&self) -> anyhow::Result<()> {
        Ok(self.0.restart()?)
    }
}

/// Creates a runtime for queries beside the measurements.
fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
