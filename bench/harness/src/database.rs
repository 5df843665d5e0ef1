//! A database for one system, and the rows it leaves there.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, Config};

use crate::figures::{Figures, Metric};
use crate::server::Server;

/// The initial database, from which the others are created and observed.
const FIRST: &str = "postgres";
/// The prefix of the names of all other databases.
const PREFIX: &str = "site_";

/// A fresh database on the server of the run.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
    /// A connection to another database, so that observing this one leaves no trace in it.
    outside: Outside,
}

/// The counts of a database since its creation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    commits: i64,
}

impl Database {
    /// Creates a database on the server of the run.
    pub(crate) async fn create() -> anyhow::Result<Self> {
        Self::on(Server::of_the_run()?).await
    }

    /// Creates a database on a server, and removes those of processes that have ended.
    ///
    /// # Errors
    ///
    /// The server can't be reached.
    pub async fn on(server: Server) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let outside = server.connect(FIRST).await?;
        let ours = format!("{PREFIX}{}_", std::process::id());
        let names = outside.query("select datname::text from pg_database", &[]).await?;
        for name in names.iter().map(|row| row.get::<_, String>(0)) {
            if name.starts_with(PREFIX) && !name.starts_with(&ours) {
                outside.batch_execute(&format!("drop database {name} with (force)")).await?;
            }
        }
        let name = format!("{ours}{}", COUNT.fetch_add(1, Ordering::Relaxed));
        outside.batch_execute(&format!("create database {name}")).await?;
        // Writes the pages of other systems to the disk now, so that no system pays for them with a checkpoint.
        outside.batch_execute("checkpoint").await?;
        Ok(Self { server, name, outside: Outside(outside) })
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Returns the configuration for `tokio-postgres`.
    #[must_use]
    pub fn options(&self) -> Config {
        self.server.options(&self.name)
    }

    /// Connects to it.
    ///
    /// # Errors
    ///
    /// The server can't be reached.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        self.server.connect(&self.name).await
    }

    /// Returns the server of the database.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Restores the state of a database filled some time ago: connections closed, and tables vacuumed and analysed.
    pub(crate) async fn rest(&self) -> anyhow::Result<Counts> {
        self.hang_up().await?;
        self.connect().await?.batch_execute("vacuum analyze").await?;
        self.hang_up().await?;
        self.counts().await
    }

    /// Returns the number of bytes of log that the server has written.
    ///
    /// # Errors
    ///
    /// The server can't be reached.
    pub async fn logged(&self) -> anyhow::Result<u64> {
        let row = self.outside.0.query_one("select (pg_current_wal_lsn() - '0/0')::bigint", &[]).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    /// Closes all connections, then adds the dead rows and the commits since `since`, for each of `jobs` jobs.
    pub(crate) async fn add_left(
        &self,
        figures: Figures,
        since: Counts,
        jobs: u64,
    ) -> anyhow::Result<Figures> {
        self.hang_up().await?;
        let commits = self.counts().await?.commits - since.commits;
        let dead = "select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables";
        let dead: i64 = self.connect().await?.query_one(dead, &[]).await?.get(0);
        Ok(figures
            .with(Metric::Commits, commits as f64 / jobs as f64)
            .with(Metric::DeadTuples, dead as f64 / jobs as f64))
    }

    /// Closes all connections: sessions report their counts when they end, and otherwise up to ten seconds later.
    async fn hang_up(&self) -> anyhow::Result<()> {
        let end = "select pg_terminate_backend(pid, 10000) from pg_stat_activity \
                   where datname = $1::text and backend_type = 'client backend'";
        self.outside.0.query(end, &[&self.name]).await?;
        Ok(())
    }

    async fn counts(&self) -> anyhow::Result<Counts> {
        let count = "select xact_commit from pg_stat_database where datname = $1::text";
        let row = self.outside.0.query_one(count, &[&self.name]).await?;
        Ok(Counts { commits: row.get(0) })
    }
}

/// A client, which has nothing to show of itself.
struct Outside(Client);

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}
