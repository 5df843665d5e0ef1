//! Peers that are programs of their own, because of their own version of SQLite or their many dependencies.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use crate::case::{Case, Contender};

/// A peer's program, in a workspace in `peers/` that may hold several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    workspace: &'static str,
    program: &'static str,
}

impl Peer {
    /// Returns the program that measures a system; `None` if it is this one.
    pub(crate) fn of(system: Contender) -> Option<Self> {
        match system {
            Contender::Effectum => Some(Self { workspace: "effectum", program: "peer-effectum" }),
            Contender::ApalisSqlite => {
                Some(Self { workspace: "apalis-sqlite", program: "peer-apalis-sqlite" })
            }
            Contender::GraphileWorker => Some(Self::on_postgres("peer-graphile-worker")),
            Contender::ApalisPostgres => Some(Self::on_postgres("peer-apalis-postgres")),
            Contender::Underway => Some(Self::on_postgres("peer-underway")),
            Contender::Sqlxmq => Some(Self::on_postgres("peer-sqlxmq")),
            Contender::Fang => Some(Self::on_postgres("peer-fang")),
            Contender::Awa => Some(Self::on_postgres("peer-awa")),
            Contender::QueueTokio
            | Contender::QueueSqlite
            | Contender::QueuePostgres
            | Contender::ObservedTokio
            | Contender::ObservedSqlite
            | Contender::ObservedPostgres
            | Contender::Baseline
            | Contender::Mpsc
            | Contender::Spawn
            | Contender::Apalis
            | Contender::Payload
            | Contender::Raw => None,
        }
    }

    fn on_postgres(program: &'static str) -> Self {
        Self { workspace: "postgres", program }
    }

    /// Builds the program as this one is built, with the default release profile.
    pub(crate) fn build(self) -> anyhow::Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(home().join("peers").join(self.workspace).join("Cargo.toml"))
            .args(["--bin", self.program])
            .arg("--target-dir")
            .arg(target())
            .status()?;
        ensure!(status.success(), "{} couldn't be built: {status}", self.program);
        Ok(())
    }

    /// Returns the command that makes one measurement.
    pub(crate) fn call(self, case: Case) -> anyhow::Result<Command> {
        let mut call = Command::new(target().join("release").join(self.program));
        call.arg(serde_json::to_string(&case.load)?).arg(case.jobs.to_string());
        Ok(call)
    }
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One folder for all peers, so that shared dependencies are built once.
fn target() -> PathBuf {
    home().join("target/peers")
}
