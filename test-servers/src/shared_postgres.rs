//! One PostgreSQL server for all test processes of a user.
//!
//! Two processes outlive the test process that starts the server: the server, and a shell that watches its users.
//!
//! | file in the server's folder | meaning |
//! | --- | --- |
//! | `users` | a pipe that each user holds open. The shell reads its end once the last user has exited or was killed |
//! | `used` | created by each new user after it opened the pipe, removed by the shell before it reads the pipe |
//! | `stopping` | the shell is about to stop the server: a new user starts another one |
//!
//! A user is a test process. A new user opens the pipe, creates `used`, then checks `stopping`. The shell removes `used`, waits for
//! the end of the pipe and for a minute, creates `stopping`, then checks `used`. So either the shell sees the new user, or the user
//! sees that the server stops. A lock on a file beside the folders makes sure that only one process starts a server.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::ServerError;
use crate::postgres::{USER, init, url};
use crate::process::{children, chown_to_user, run, run_as, set_normal_priority, unprivileged_user};
use crate::programs;

/// A PostgreSQL server that all test processes of a user share, for tests that each create a database of their own.
///
/// The first process starts it, at normal priority even if the process has a low one, if the system allows that (on Linux, only
/// for root). The server stops a minute after its last user has ended, and its data is deleted. Commits are not durable. If the environment variable `TEST_POSTGRES_URL` is set, that server is used instead and nothing is started.
///
/// ```
/// use test_servers::SharedPostgres;
///
/// let server = SharedPostgres::find_or_start()?;
/// let url = server.url("postgres"); // to create a database of the test's own
/// # assert!(url.starts_with("postgres"));
/// # Ok::<(), test_servers::ServerError>(())
/// ```
pub struct SharedPostgres {
    server: Server,
}

enum Server {
    /// The server that the environment names.
    Given { url: String },
    /// The server with its socket in this folder.
    Started { folder: PathBuf, _user: File },
}

/// The name of the environment variable with the URL of a server for tests.
const VARIABLE: &str = "TEST_POSTGRES_URL";

const REMEDY: &str = "install PostgreSQL 13 or later, as with `apt-get install postgresql` or `brew install postgresql`, or set \
                      TEST_POSTGRES_URL to the URL of a server on which tests may create databases";

/// How long a server without users runs on, for the next test program or run.
const LINGER: Duration = Duration::from_secs(60);

/// The free space that a server needs in memory, in KiB.
const ROOM: u64 = 1024 * 1024;

const SETTINGS: &str = "\nlisten_addresses = ''\nmax_connections = 500\nfsync = off\nsynchronous_commit = off\n\
                        full_page_writes = off\nmax_wal_size = 256MB\njit = off\n";

/// A shell script that waits until the server has had no user for `linger` seconds, then stops it and removes its folder.
const WATCHDOG: &str = r#"
folder=$1; linger=$2; pg_ctl=$3
while
    rm -f "$folder/used"
    exec 4<>"$folder/users" 5<"$folder/users" 4>&-
    cat <&5 >/dev/null
    exec 5<&-
    sleep "$linger"
    mkdir "$folder/stopping"
    test -e "$folder/used"
do
    rmdir "$folder/stopping"
done
"$pg_ctl" -D "$folder/data" -m immediate -w stop
rm -rf "$folder"
"#;

impl SharedPostgres {
    /// Finds the server of this user, or starts it. Waits while another process starts it. Blocks the thread: for some milliseconds,
    /// or for about a second if a server is started.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] says what to install, or what to set instead.
    pub fn find_or_start() -> Result<Self, ServerError> {
        if let Some(url) = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty()) {
            return Ok(Self { server: Server::Given { url } });
        }
        let temporary = memory().unwrap_or_else(std::env::temp_dir);
        let failed = || format!("`{}` can't be written", temporary.display());
        // A file of this process has its user.
        let own = tempfile::tempfile_in(&temporary).and_then(|file| file.metadata());
        let user = own.map_err(ServerError::io(failed()))?.uid();
        let name = format!("test-servers-{user}-{}", env!("CARGO_PKG_VERSION"));
        Self::find_or_start_in(&temporary.join(name), user, LINGER)
    }

    /// Finds or starts the server of the `user` in `base`.
    fn find_or_start_in(base: &Path, user: u32, linger: Duration) -> Result<Self, ServerError> {
        let programs = programs::postgres().map_err(or_given)?;
        create_private(base, user)?;
        let failed = || format!("a file in `{}` can't be written", base.display());
        let starting = File::create(base.join("lock")).map_err(ServerError::io(failed()))?;
        starting.lock().map_err(ServerError::io(failed()))?;
        let current = base.join("current");
        let found = std::fs::read_to_string(&current).ok().map(PathBuf::from);
        if let Some((folder, user)) = found.and_then(|folder| join(&folder).map(|user| (folder, user))) {
            return Ok(Self { server: Server::Started { folder, _user: user } });
        }
        remove_dead(base);
        let folder = start(&programs, base, linger)?;
        std::fs::write(&current, folder.display().to_string()).map_err(ServerError::io(failed()))?;
        let user = join(&folder).ok_or_else(|| ServerError::Failed {
            program: programs.join("postgres"),
            said: "the server stopped at once".to_owned(),
        })?;
        Ok(Self { server: Server::Started { folder, _user: user } })
    }

    /// Returns the URL of a database on the server, whether or not it exists.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        match &self.server {
            Server::Given { url } => with_database(url, database),
            Server::Started { folder, .. } => url(USER, database, folder),
        }
    }

    /// Returns the URL of a database that exists: `postgres`, or the one that `TEST_POSTGRES_URL` names.
    #[must_use]
    pub fn maintenance_url(&self) -> String {
        match &self.server {
            Server::Given { url } => url.clone(),
            Server::Started { .. } => self.url("postgres"),
        }
    }

    /// Returns whether `TEST_POSTGRES_URL` names the server.
    #[must_use]
    pub fn is_given(&self) -> bool {
        matches!(self.server, Server::Given { .. })
    }
}

/// Returns the folder of Linux whose files are in memory, if it has room for a server. Creating a database there takes about 15 ms,
/// on a busy disk hundreds.
fn memory() -> Option<PathBuf> {
    let folder = PathBuf::from("/dev/shm");
    let output = run_as(Path::new("df")).arg("-Pk").arg(&folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut fields = text.lines().nth(1)?.split_whitespace();
    let (kind, available) = (fields.next()?, fields.nth(2)?.parse::<u64>().ok()?);
    (kind == "tmpfs" && available >= ROOM).then_some(folder)
}

/// Adds `TEST_POSTGRES_URL` to the remedy of a missing server.
fn or_given(error: ServerError) -> ServerError {
    match error {
        ServerError::Missing { program, .. } => ServerError::Missing { program, remedy: REMEDY },
        other => other,
    }
}

/// Creates a folder that only this user, or the user of the servers, can enter.
fn create_private(folder: &Path, user: u32) -> Result<(), ServerError> {
    let failed = || format!("`{}` can't be created", folder.display());
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => chown_to_user(folder)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(ServerError::io(failed())(error)),
    }
    let owner = std::fs::symlink_metadata(folder).map_err(ServerError::io(failed()))?.uid();
    if owner == user || unprivileged_user().is_some_and(|(servers, _)| owner == servers) {
        return Ok(());
    }
    let foreign = io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user");
    Err(ServerError::io(format!("`{}` can't be used", folder.display()))(foreign))
}

/// Adds this process to the users of the server in `folder`. Returns `None` if the server doesn't run, or is about to stop.
fn join(folder: &Path) -> Option<File> {
    // Opened for reading and writing, because opening a pipe for one of them waits until the other end is open.
    let user = OpenOptions::new().read(true).write(true).open(folder.join("users")).ok()?;
    File::create(folder.join("used")).ok()?;
    if folder.join("stopping").exists() {
        return None;
    }
    UnixStream::connect(folder.join(".s.PGSQL.5432")).ok()?;
    Some(user)
}

/// Removes the folders of servers that were killed together with their watchdogs, as when the machine was restarted.
fn remove_dead(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        if UnixStream::connect(folder.join(".s.PGSQL.5432")).is_err() {
            // The watchdog of a server that has just stopped may remove the folder at the same time.
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

/// Starts a server that stops by itself. Returns its folder.
fn start(programs: &Path, base: &Path, linger: Duration) -> Result<PathBuf, ServerError> {
    let folder = tempfile::Builder::new().prefix("pg").tempdir_in(base);
    let folder = folder.map_err(ServerError::io("can't create a temporary folder"))?;
    chown_to_user(folder.path())?;
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    init(programs, &data)?;
    let settings = data.join("postgresql.conf");
    let failed = || format!("`{}` can't be changed", settings.display());
    let text = std::fs::read_to_string(&settings).map_err(ServerError::io(failed()))?;
    let socket = format!("unix_socket_directories = '{}'\n", folder.path().display());
    std::fs::write(&settings, text + SETTINGS + &socket).map_err(ServerError::io(failed()))?;
    run(run_as(Path::new("mkfifo")).arg("-m").arg("600").arg(folder.path().join("users")))?;
    let pg_ctl = programs::beside(programs, "pg_ctl");
    // Returns once the server accepts connections.
    let started = run(run_as(&pg_ctl).arg("-D").arg(&data).arg("-l").arg(&log).args(["-w", "start"]));
    started.map_err(|error| match std::fs::read_to_string(&log) {
        Ok(said) => ServerError::Failed { program: programs.join("postgres"), said },
        Err(_) => error,
    })?;
    raise_priority(&data);
    let mut watchdog = run_as(Path::new("sh"));
    watchdog.arg("-c").arg(WATCHDOG).arg("watchdog").arg(folder.path());
    watchdog.arg(linger.as_secs_f64().to_string()).arg(&pg_ctl);
    // In a group of its own: an interrupt at the terminal ends the tests, and the watchdog then stops the server.
    watchdog.process_group(0).current_dir("/");
    watchdog.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    watchdog.spawn().map_err(ServerError::io("`sh` can't be run"))?;
    Ok(folder.keep())
}

/// Sets a server to normal priority, if the system allows it: programs of a higher priority than the one that has started it may use
/// it later.
fn raise_priority(data: &Path) {
    let file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let Some(server) = file.lines().next().and_then(|id| id.parse().ok()) else { return };
    // The postmaster first, because it may start others.
    set_normal_priority(&[server]);
    set_normal_priority(&children(server));
}

/// Replaces the database in a URL.
fn with_database(url: &str, database: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let begin = address.find("://").map_or(0, |scheme| scheme + 3);
    let server = address[begin..].find('/').map_or(address, |path| &address[..begin + path]);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{server}/{database}{query}")
}

impl fmt::Debug for SharedPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may contain a password.
        let folder = match &self.server {
            Server::Given { .. } => None,
            Server::Started { folder, .. } => Some(folder),
        };
        f.debug_struct("SharedPostgres").field("folder", &folder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::Command;

    use super::*;

    fn socket(server: &SharedPostgres) -> PathBuf {
        match &server.server {
            Server::Started { folder, .. } => folder.join(".s.PGSQL.5432"),
            Server::Given { .. } => panic!("no server is given"),
        }
    }

    fn own_user(folder: &Path) -> u32 {
        std::fs::metadata(folder).expect("a folder").uid()
    }

    #[test]
    fn processes_share_one_server_which_stops_after_the_last_of_them() -> Result<(), ServerError> {
        let parent = tempfile::tempdir().expect("a folder");
        let (base, user) = (parent.path().join("servers"), own_user(parent.path()));
        std::fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("readable");
        let linger = Duration::from_millis(10);
        let users: Vec<_> = std::thread::scope(|scope| {
            let users =
                [(); 3].map(|()| scope.spawn(|| SharedPostgres::find_or_start_in(&base, user, linger)));
            users.map(|user| user.join().expect("no panic")).into_iter().collect::<Result<_, _>>()
        })?;
        let sockets: Vec<_> = users.iter().map(socket).collect();
        assert!(sockets.iter().all(|socket| *socket == sockets[0]), "{sockets:?}");
        let mut session = UnixStream::connect(&sockets[0]).expect("a session");

        drop(users);

        // The end of the session is the end of the server.
        let read = session.read(&mut [0]);
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        let next = SharedPostgres::find_or_start_in(&base, user, linger)?;
        assert_ne!(socket(&next), sockets[0]);
        Ok(())
    }

    /// Set in the process that starts a server at a low priority.
    const IS_NICED: &str = "TEST_SERVERS_IS_NICED";

    /// Returns the niceness of a process: 0 is normal. `None` if the process has ended.
    fn niceness(process: u32) -> Option<i32> {
        let output = Command::new("ps").args(["-o", "ni=", "-p", &process.to_string()]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    }

    /// T29
    #[test]
    fn a_server_has_normal_priority_even_if_a_niced_program_has_started_it() -> Result<(), ServerError> {
        if std::env::var_os(IS_NICED).is_none() {
            let test = "a_server_has_normal_priority_even_if_a_niced_program_has_started_it";
            let mut niced = Command::new("nice");
            niced.args(["-n", "5"]).arg(std::env::current_exe().expect("this program"));
            niced.args([&format!("shared_postgres::tests::{test}"), "--exact", "--nocapture"]);
            let output = niced.env(IS_NICED, "yes").output().expect("`nice` runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            return Ok(());
        }
        let parent = tempfile::tempdir().expect("a folder");
        let (base, user) = (parent.path().join("servers"), own_user(parent.path()));
        std::fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("readable");

        let server = SharedPostgres::find_or_start_in(&base, user, Duration::from_millis(10))?;

        let own = niceness(std::process::id()).expect("this process");
        assert!(own > 0, "`nice` had no effect");
        // A process that may not raise itself may not raise the server either.
        set_normal_priority(&[std::process::id()]);
        let expected = niceness(std::process::id()).expect("this process");
        let data = socket(&server).with_file_name("data");
        let id = std::fs::read_to_string(data.join("postmaster.pid")).expect("the server's process");
        let id = id.lines().next().and_then(|id| id.parse().ok()).expect("a number");
        for process in [children(id), vec![id]].concat() {
            assert!(niceness(process).is_none_or(|niceness| niceness == expected), "{process}");
        }
        Ok(())
    }

    #[test]
    fn the_error_of_a_missing_server_says_what_to_install_or_to_set() {
        let text = or_given(programs::newest(Vec::new()).expect_err("no folder has it")).to_string();

        assert!(text.contains("apt-get install postgresql") && text.contains("TEST_POSTGRES_URL"), "{text}");
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = own_user(folder.path()) + 1;

        let refused = create_private(folder.path(), other).expect_err("it isn't theirs");

        assert!(refused.to_string().contains("can't be used"), "{refused}");
    }

    #[test]
    fn a_url_names_another_database_of_the_same_server() {
        for (url, expected) in [
            ("postgres://me:secret@host:5432/shop", "postgres://me:secret@host:5432/test"),
            ("postgres://host", "postgres://host/test"),
            ("postgres://me@host/?sslmode=require", "postgres://me@host/test?sslmode=require"),
            ("postgres:///shop?host=/tmp/a", "postgres:///test?host=/tmp/a"),
        ] {
            assert_eq!(with_database(url, "test"), expected, "{url}");
        }
    }
}
