//! A PostgreSQL server.

use std::fmt;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::error::ServerError;
use crate::process::{Server, children, chown_to_user, run, run_as, signal};
use crate::programs;

/// How a server makes its commits durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// PostgreSQL's default: a commit is on disk.
    Full,
    /// A commit is passed to the operating system. It survives a crash of the server, but not of the machine. Faster, for tests
    /// that crash no machine.
    Process,
}

/// A PostgreSQL server that is reached by a socket in a temporary folder, and by TCP only if it was started with TLS. Dropping
/// it stops it.
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    settings: Vec<String>,
    server: Mutex<Option<Server>>,
}

/// A copy of all data of a server. Deleted when it is dropped.
#[derive(Debug)]
pub struct Backup(TempDir);

/// The only user, a superuser.
pub(crate) const USER: &str = "postgres";

/// The access rule of a server with TLS.
const TLS_ALONE: &str = "hostssl all all 127.0.0.1/32 trust\n";

/// The message of a server that accepts connections.
const READY: &str = "database system is ready to accept connections";

impl Postgres {
    /// Creates a server and starts it. Each setting is `name=value` and is added to the default ones.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] says what to install.
    pub fn start(durability: Durability, settings: &[&str]) -> Result<Self, ServerError> {
        let server = Self::make(durability, settings)?;
        server.restart()?;
        Ok(server)
    }

    /// Creates a server and starts it, reachable by TLS on a port of this machine only. Returns the port too. The certificate and its
    /// key are in PEM.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] says what to install.
    pub fn start_with_tls(certificate: &str, key: &str) -> Result<(Self, u16), ServerError> {
        let port = free_port().map_err(ServerError::io("can't find a free port"))?;
        let port_setting = format!("port={port}");
        let mut server = Self::make(
            Durability::Process,
            &[&port_setting, "ssl=on", "ssl_cert_file=own.crt", "ssl_key_file=own.key"],
        )?;
        server.settings.push("listen_addresses=127.0.0.1".to_owned());
        for (name, text) in [("own.crt", certificate), ("own.key", key), ("pg_hba.conf", TLS_ALONE)] {
            let path = server.folder.path().join("data").join(name);
            let written = std::fs::write(&path, text)
                .and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(0o600)));
            written.map_err(ServerError::io(format!("`{}` can't be written", path.display())))?;
            chown_to_user(&path)?;
        }
        server.restart()?;
        Ok((server, port))
    }

    fn make(durability: Durability, settings: &[&str]) -> Result<Self, ServerError> {
        let programs = programs::postgres()?;
        let folder = tempfile::Builder::new().prefix("pg").tempdir();
        let folder = folder.map_err(ServerError::io("can't create a temporary folder"))?;
        chown_to_user(folder.path())?;
        init(&programs, &folder.path().join("data"))?;
        let mut settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        settings.push("listen_addresses=".to_owned());
        settings.push(format!("unix_socket_directories={}", folder.path().display()));
        if durability == Durability::Process {
            settings.push("fsync=off".to_owned());
        }
        Ok(Self { programs, folder, settings, server: Mutex::new(None) })
    }

    /// Returns the URL of a database. The database `postgres` exists from the beginning.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_of(USER, database)
    }

    /// Returns the URL of a database for another user, who has no password.
    #[must_use]
    pub fn url_of(&self, user: &str, database: &str) -> String {
        url(user, database, self.socket_folder())
    }

    /// Returns the folder of the socket.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills the server with all its processes, like a crash of the machine that leaves the disk intact.
    pub fn kill(&self) {
        let Some(server) = self.running().take() else { return };
        // The postmaster first, because it would restart the others.
        signal("STOP", &[server.id]);
        let others = children(server.id);
        server.end("KILL", &others);
    }

    /// Stops the server as an operator would: sessions are ended, and nothing is lost.
    pub fn stop(&self) {
        let Some(server) = self.running().take() else { return };
        server.end("INT", &[]);
    }

    fn running(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the server after it was killed or stopped.
    ///
    /// # Errors
    ///
    /// If the server can't start. The error has its output.
    pub fn restart(&self) -> Result<(), ServerError> {
        let mut server = self.running();
        if server.is_some() {
            return Ok(());
        }
        let mut arguments = vec!["-D".to_owned(), self.folder.path().join("data").display().to_string()];
        arguments.extend(self.settings.iter().flat_map(|setting| ["-c".to_owned(), setting.clone()]));
        let program = self.programs.join("postgres");
        let start = || Server::start(&program, &arguments, self.folder.path(), READY);
        // Processes of a killed server may hold its shared memory for a moment. The new server then reports that and exits.
        let mut started = start();
        for _ in 0..50 {
            match &started {
                Err(ServerError::Failed { said, .. }) if said.contains("still in use") => started = start(),
                _ => break,
            }
        }
        *server = Some(started?);
        Ok(())
    }

    /// Suspends all processes of the server: connections stay up, and nothing is answered until [`resume`](Self::resume).
    pub fn pause(&self) {
        let Some(server) = self.process() else { return };
        // The postmaster first, because it would start others.
        signal("STOP", &[server]);
        signal("STOP", &children(server));
    }

    /// Resumes the processes of a paused server.
    pub fn resume(&self) {
        let Some(server) = self.process() else { return };
        signal("CONT", &[children(server), vec![server]].concat());
    }

    /// Stops the server, copies all of its data, and starts it again.
    ///
    /// # Errors
    ///
    /// If the operating system or the server reports an error.
    pub fn backup(&self) -> Result<Backup, ServerError> {
        self.stop();
        let folder = tempfile::Builder::new().prefix("backup").tempdir_in(self.folder.path());
        let folder = folder.map_err(ServerError::io("can't create a folder for a backup"))?;
        chown_to_user(folder.path())?;
        run(run_as(Path::new("cp")).arg("-a").arg(self.data()).arg(folder.path()))?;
        self.restart()?;
        Ok(Backup(folder))
    }

    /// Kills the server, restores its data from a backup, and starts it again. Everything committed since the backup is lost.
    ///
    /// # Errors
    ///
    /// If the operating system or the server reports an error.
    pub fn restore(&self, backup: &Backup) -> Result<(), ServerError> {
        self.kill();
        let data = self.data();
        std::fs::remove_dir_all(&data)
            .map_err(ServerError::io(format!("`{}` can't be removed", data.display())))?;
        run(run_as(Path::new("cp")).arg("-a").arg(backup.0.path().join("data")).arg(self.folder.path()))?;
        self.restart()
    }

    /// Creates a database with an encoding, such as `LATIN1`, and returns its URL.
    ///
    /// # Errors
    ///
    /// If the server reports an error.
    pub fn create_database(&self, name: &str, encoding: &str) -> Result<String, ServerError> {
        let mut create = run_as(&programs::beside(&self.programs, "createdb"));
        create.arg("-h").arg(self.socket_folder()).args(["-U", USER, "-T", "template0", "--locale=C", "-E"]);
        run(create.arg(encoding).arg(name))?;
        Ok(self.url(name))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Changes the owner of a folder to the server's user, so that the server can keep files there.
    ///
    /// # Errors
    ///
    /// If the operating system reports an error.
    pub fn chown_to_user(&self, folder: &Path) -> Result<(), ServerError> {
        chown_to_user(folder)
    }

    /// Requires a password from an existing user from now on.
    ///
    /// # Errors
    ///
    /// If the operating system reports an error.
    pub fn ask_for_password(&self, user: &str) -> Result<(), ServerError> {
        let path = self.folder.path().join("data/pg_hba.conf");
        let failed = || format!("`{}` can't be changed", path.display());
        let rules = std::fs::read_to_string(&path).map_err(ServerError::io(failed()))?;
        // The first matching rule applies.
        std::fs::write(&path, format!("local all {user} scram-sha-256\n{rules}"))
            .map_err(ServerError::io(failed()))?;
        if let Some(process) = self.process() {
            signal("HUP", &[process]);
        }
        Ok(())
    }

    /// Returns the process id of the server, if it runs.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.running().as_ref().map(|server| server.id)
    }
}

/// Creates the files of a server.
pub(crate) fn init(programs: &Path, data: &Path) -> Result<(), ServerError> {
    let mut init = run_as(&programs.join("initdb"));
    init.arg("-D").arg(data).args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]);
    run(&mut init)
}

/// Returns the URL of a database on the server with its socket in `folder`.
pub(crate) fn url(user: &str, database: &str, folder: &Path) -> String {
    format!("postgres://{user}@localhost/{database}?host={}", folder.display())
}

/// Returns a free port. Another process may take it before the server does; starting the server fails then.
fn free_port() -> std::io::Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr().map(|address| address.port())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}
