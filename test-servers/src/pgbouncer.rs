//! A PgBouncer in transaction mode in front of a PostgreSQL server.

use std::fmt;

use tempfile::TempDir;

use crate::error::ServerError;
use crate::postgres::Postgres;
use crate::process::{Server, chown_to_user};
use crate::programs;

/// A pooler that assigns a server connection to each transaction. Dropping it stops it.
pub struct PgBouncer {
    folder: TempDir,
    server: Option<Server>,
}

impl PgBouncer {
    /// Starts a pooler in front of a server. It has fewer connections to the server than it has clients, so clients share them.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] says what to install.
    pub fn start(before: &Postgres) -> Result<Self, ServerError> {
        let program = programs::pgbouncer()?;
        let folder = tempfile::Builder::new().prefix("pgb").tempdir();
        let folder = folder.map_err(ServerError::io("can't create a temporary folder"))?;
        chown_to_user(folder.path())?;
        let settings = format!(
            "[databases]\n* = host={}\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {}\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nlisten_port = 6432\n\
             [users]\n",
            before.socket_folder().display(),
            folder.path().display()
        );
        // With the authentication mode `any`, the user at the server is part of the database's entry.
        let settings = settings.replace("* = host", "postgres = user=postgres host");
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, settings)
            .map_err(ServerError::io(format!("`{}` can't be written", path.display())))?;
        let arguments = [path.display().to_string()];
        let server = Server::start(&program, &arguments, folder.path(), "process up")?;
        Ok(Self { folder, server: Some(server) })
    }

    /// Returns the URL of the database `postgres` through the pooler.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost:6432/postgres?host={}", self.folder.path().display())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.end("KILL", &[]);
        }
    }
}

impl fmt::Debug for PgBouncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgBouncer").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}
