//! What the writes of a unit of work may not do to the queue's connection, which they run on.
//!
//! They can't end the transaction or begin another, and they can't leave anything behind in the connection: a setting, a
//! database that was attached, or a temporary table, which hides a table of the queue that has the same name. What goes
//! through SQL is refused by SQLite's authorizer. What goes through the methods of the connection is put back after each
//! write: hooks, the busy timeout, and the authorizer itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::{Action, AuthAction, AuthContext, Authorization};

/// Pages of the log after which it's copied to the file.
///
/// A page that many commits change is copied once, so it pays to let some gather: 16 MiB of them.
pub(crate) const CHECKPOINT_PAGES: i64 = 4_000;

/// Pragmas that read, or set what is in the file or ends with the transaction.
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

/// Refuses what a unit of work may not do, while it writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_active: AtomicBool,
    /// What was refused since the guard was set.
    refused: Mutex<Option<String>>,
    /// How long the connection itself waits for a lock.
    busy_timeout: Duration,
}

impl Guard {
    /// Creates the guard of a connection whose own lock timeout is this long.
    pub(crate) fn new(busy_timeout: Duration) -> Self {
        Self(Arc::new(State { busy_timeout, ..State::default() }))
    }

    /// Has a connection ask the guard about each statement that is prepared on it.
    pub(crate) fn install(&self, connection: &Connection) -> rusqlite::Result<()> {
        let guard = self.clone();
        connection.authorizer(Some(move |request: AuthContext<'_>| {
            match guard.0.is_active.load(Ordering::Relaxed).then(|| denial(&request)).flatten() {
                Some(what) => {
                    guard.refused().get_or_insert(what);
                    Authorization::Deny
                }
                None => Authorization::Allow,
            }
        }))
    }

    /// Runs a write under the guard, and puts the connection back into its state. Returns what the guard has refused.
    pub(crate) fn run_guarded<T>(
        &self,
        connection: &Connection,
        write: impl FnOnce() -> T,
    ) -> rusqlite::Result<(T, Option<String>)> {
        *self.refused() = None;
        self.0.is_active.store(true, Ordering::Relaxed);
        let written = write();
        let refused = self.refused().take();
        // A statement that only the guard refuses shows whether the authorizer is still this one.
        let is_allowed = || connection.prepare("savepoint queue_unit").is_ok();
        let is_replaced = is_allowed();
        self.0.is_active.store(false, Ordering::Relaxed);
        if is_replaced || !is_allowed() {
            self.install(connection)?;
        }
        self.restore(connection)?;
        Ok((written, refused))
    }

    /// Puts back what can be set through the methods of a connection.
    fn restore(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(self.0.busy_timeout)?;
        connection.update_hook(None::<fn(Action, &str, &str, i64)>)?;
        connection.commit_hook(None::<fn() -> bool>)?;
        connection.rollback_hook(None::<fn()>)?;
        connection.progress_handler(0, None::<fn() -> bool>)?;
        // It is a hook on the log, and takes the place of any other.
        let checkpoint = format!("pragma wal_autocheckpoint = {CHECKPOINT_PAGES}");
        connection.prepare_cached(&checkpoint)?.query_row([], |_| Ok(()))
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what is wrong with a request, if it's forbidden.
fn denial(request: &AuthContext<'_>) -> Option<String> {
    match request.action {
        AuthAction::Transaction { .. } => Some("it may not end the transaction, or begin another".to_owned()),
        AuthAction::Savepoint { savepoint_name: "queue_unit", .. } => {
            Some("the savepoint `queue_unit` is the queue's".to_owned())
        }
        AuthAction::Pragma { pragma_name, .. } => {
            let is_allowed = ALLOWED_PRAGMAS.iter().any(|known| known.eq_ignore_ascii_case(pragma_name));
            (!is_allowed).then(|| {
                format!("`pragma {pragma_name}` changes the queue's connection: set it on one of your own")
            })
        }
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
            Some("a database may not be attached to the queue's connection, or detached".to_owned())
        }
        AuthAction::Read { .. } | AuthAction::Select => None,
        // Nothing that is temporary is there to be written to or dropped, so it's to be made.
        _ => (request.database_name == Some("temp")).then(|| {
            "what is temporary stays in the queue's connection: use a `with` clause, or a table of your own".to_owned()
        }),
    }
}
