//! Keeps the writes of units of work from changing the queue's connection, on which they run.
//!
//! A write must not end the transaction or begin another. It must not leave anything behind in the connection: a setting, an
//! attached database, or a temporary table, which would hide the queue's table of the same name. SQLite's authorizer denies
//! such SQL. Methods of the connection bypass it, so after each write the connection's hooks, busy timeout and authorizer are
//! reset.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::{Action, AuthAction, AuthContext, Authorization};

/// The number of pages in the log at which SQLite copies it to the file (a checkpoint).
///
/// A checkpoint copies a page once, however many commits changed it. So a larger log costs fewer copies; this one is 16 MiB.
pub(crate) const CHECKPOINT_PAGES: i64 = 4_000;

/// Pragmas that only read, or that set what is stored in the file or ends with the transaction.
const ALLOWED_PRAGMAS: [&str; 18] = [
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "module_list",
    "pragma_list",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// Denies SQL that a unit of work must not run, while its writes run.
#[derive(Clone, Debug, Default)]
pub(crate) struct SqlAuthorizer(Arc<SqlAuthorizerState>);

#[derive(Debug, Default)]
struct SqlAuthorizerState {
    is_active: AtomicBool,
    /// The first denial of the current write.
    refused: Mutex<Option<String>>,
    /// The busy timeout that the connection has outside of writes.
    busy_timeout: Duration,
}

impl SqlAuthorizer {
    /// Creates the authorizer of a connection with this busy timeout.
    pub(crate) fn new(busy_timeout: Duration) -> Self {
        Self(Arc::new(SqlAuthorizerState { busy_timeout, ..SqlAuthorizerState::default() }))
    }

    /// Installs the authorizer in the connection. SQLite calls it for each statement that is prepared.
    pub(crate) fn install(&self, connection: &Connection) -> rusqlite::Result<()> {
        let authorizer = self.clone();
        connection.authorizer(Some(move |request: AuthContext<'_>| {
            match authorizer.0.is_active.load(Ordering::Relaxed).then(|| denial(&request)).flatten() {
                Some(what) => {
                    authorizer.refused().get_or_insert(what);
                    Authorization::Deny
                }
                None => Authorization::Allow,
            }
        }))
    }

    /// Runs `write` with the authorizer active, then resets the connection. Returns its result, and the first denial if there
    /// was one.
    pub(crate) fn run_authorized<T>(
        &self,
        connection: &Connection,
        write: impl FnOnce() -> T,
    ) -> rusqlite::Result<(T, Option<String>)> {
        *self.refused() = None;
        self.0.is_active.store(true, Ordering::Relaxed);
        let written = write();
        let refused = self.refused().take();
        // Only the authorizer denies this statement. So if it is allowed now, the write has replaced the authorizer.
        let is_allowed = || connection.prepare("savepoint queue_unit").is_ok();
        let is_replaced = is_allowed();
        self.0.is_active.store(false, Ordering::Relaxed);
        if is_replaced || !is_allowed() {
            self.install(connection)?;
        }
        self.restore(connection)?;
        Ok((written, refused))
    }

    /// Resets what the methods of a connection can set.
    fn restore(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(self.0.busy_timeout)?;
        connection.update_hook(None::<fn(Action, &str, &str, i64)>)?;
        connection.commit_hook(None::<fn() -> bool>)?;
        connection.rollback_hook(None::<fn()>)?;
        connection.progress_handler(0, None::<fn() -> bool>)?;
        // The checkpoint is a hook on the log, so this replaces a hook that the write has set.
        let checkpoint = format!("pragma wal_autocheckpoint = {CHECKPOINT_PAGES}");
        connection.prepare_cached(&checkpoint)?.query_row([], |_| Ok(()))
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the reason to deny a request, or `None` to allow it.
fn denial(request: &AuthContext<'_>) -> Option<String> {
    match request.action {
        AuthAction::Transaction { .. } => Some("a write must not end the transaction or begin another".to_owned()),
        AuthAction::Savepoint { savepoint_name: "queue_unit", .. } => {
            Some("the savepoint `queue_unit` belongs to the queue: use another name".to_owned())
        }
        AuthAction::Pragma { pragma_name, .. } => {
            let is_allowed = ALLOWED_PRAGMAS.iter().any(|known| known.eq_ignore_ascii_case(pragma_name));
            (!is_allowed).then(|| {
                format!("`pragma {pragma_name}` changes the queue's connection: set it on a connection of your own")
            })
        }
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
            Some("databases must not be attached to the queue's connection or detached from it".to_owned())
        }
        AuthAction::Read { .. } | AuthAction::Select => None,
        // The connection has no temporary tables that a statement could write to or drop, so this one creates something.
        _ => (request.database_name == Some("temp")).then(|| {
            "temporary tables and views remain in the queue's connection: use a `with` clause, or a table of your own"
                .to_owned()
        }),
    }
}
