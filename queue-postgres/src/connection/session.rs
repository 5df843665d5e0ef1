//! A session of the server: how it is set up, and how a transaction runs in it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::QueueError;
use sqlx::{AssertSqlSafe, PgConnection, raw_sql};
use tokio::time::{Instant, timeout};

use crate::connect::connect;
use crate::error::{connect_timed_out, to_queue_error};
use crate::liveness::ServerProcess;
use crate::target::Target;

/// The server's keepalives. The driver sets none at this end of a connection.
pub(crate) const KEEPALIVES: &str = "select set_config('tcp_keepalives_idle', '30', false), \
    set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false)";

/// The same for one transaction, on a connection that is used for other purposes after it.
pub(crate) const TRANSACTION_KEEPALIVES: &str = "select set_config('tcp_keepalives_idle', '30', true), \
    set_config('tcp_keepalives_interval', '10', true), set_config('tcp_keepalives_count', '3', true)";

/// Ends the transaction of a client that stops between two of its statements, which releases the row locks.
const IDLE_TRANSACTION_TIMEOUT: &str =
    "select set_config('idle_in_transaction_session_timeout', '10s', true)";

/// Compiling takes longer than any statement of a queue.
const NO_JIT: &str = "set jit = off";
const NO_TRANSACTION_JIT: &str = "set local jit = off";

/// One transaction to run over a connection. It may be run more than once.
pub(crate) type Op<'a, T> =
    &'a (dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>> + Send + Sync);

/// An open connection.
pub(crate) struct Session {
    pub(super) connection: PgConnection,
    /// The server's process for the connection. It is not known behind a pooler, where it may change.
    pub(super) process: Option<ServerProcess>,
    /// The `lock_timeout` that the session has now; `None` stands for the server's own.
    lock_timeout: Option<Duration>,
    /// When the last call over the session ended. `None` before the first one.
    last_used: Option<Instant>,
}

impl Session {
    /// Opens a session within `bound`.
    pub(super) async fn open(
        target: &Target,
        lock_timeout: Option<Duration>,
        bound: Duration,
    ) -> Result<Self, QueueError> {
        let opened = timeout(bound, Self::set_up(target, lock_timeout)).await;
        opened.unwrap_or_else(|_| Err(connect_timed_out(target, bound)))
    }

    async fn set_up(target: &Target, lock_timeout: Option<Duration>) -> Result<Self, QueueError> {
        Self::over(connect(target).await?, target, lock_timeout).await
    }

    /// Creates a session of an open connection.
    async fn over(
        mut connection: PgConnection,
        target: &Target,
        lock_timeout: Option<Duration>,
    ) -> Result<Self, QueueError> {
        let mut process = None;
        if !target.behind_pooler {
            let setup = session_setup(target.timeout, lock_timeout);
            let rows = raw_sql(AssertSqlSafe(setup)).fetch_all(&mut connection).await;
            let identified = rows.and_then(|rows| rows.last().map(ServerProcess::from_row).transpose());
            process = identified.map_err(|error| to_queue_error(error, target))?;
        }
        Ok(Self { connection, process, lock_timeout, last_used: None })
    }

    /// Creates a session of the connection over which a queue was opened, so that the queue's first call need not open one.
    pub(crate) async fn after_opening(connection: PgConnection, target: &Target) -> Result<Self, QueueError> {
        let mut session = Self::over(connection, target, None).await?;
        session.note_used();
        Ok(session)
    }

    /// Records the end of a call.
    pub(super) fn note_used(&mut self) {
        self.last_used = Some(Instant::now());
    }

    /// Returns whether a call has used the session.
    pub(super) fn was_used(&self) -> bool {
        self.last_used.is_some()
    }

    /// Returns whether the session was idle for at least this time.
    pub(super) fn was_idle_for(&self, time: Duration) -> bool {
        self.last_used.is_some_and(|used| used.elapsed() >= time)
    }

    /// Returns whether a statement with this lock timeout can run without a change of the session.
    pub(super) fn has_lock_timeout(&self, target: &Target, lock_timeout: Option<Duration>) -> bool {
        // Through a pooler, each transaction sets its own.
        self.lock_timeout == lock_timeout || target.behind_pooler
    }

    pub(super) async fn set_lock_timeout(&mut self, lock_timeout: Option<Duration>) -> sqlx::Result<()> {
        let set = lock_timeout.map(|timeout| set_timeout("lock_timeout", timeout, "false"));
        let sql = format!("reset lock_timeout; {}", set.unwrap_or_default());
        raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await?;
        self.lock_timeout = lock_timeout;
        Ok(())
    }

    /// Drops a session that did not answer, and asks the server to end it.
    pub(super) fn abandon(self, target: Arc<Target>) {
        if let Some(process) = self.process {
            tokio::spawn(async move { process.signal(&target, "pg_terminate_backend").await });
        }
    }
}

/// Runs `op` in one implicit transaction; through a pooler, which may give each statement another connection, in an
/// explicit one.
pub(super) async fn in_transaction<T>(
    connection: &mut PgConnection,
    target: &Target,
    lock_timeout: Option<Duration>,
    op: Op<'_, T>,
) -> sqlx::Result<T> {
    if !target.behind_pooler {
        return op(connection).await;
    }
    let begin = format!(
        "begin isolation level read committed; {IDLE_TRANSACTION_TIMEOUT}; {NO_TRANSACTION_JIT}; {}",
        timeouts_sql(target.timeout, lock_timeout, "true")
    );
    raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await?;
    let answer = op(connection).await;
    let end = if answer.is_ok() { "commit" } else { "rollback" };
    let ended = raw_sql(AssertSqlSafe(end)).execute(&mut *connection).await;
    match (answer, ended) {
        (Ok(answer), Ok(_)) => Ok(answer),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Returns the client-side timeout. It is slightly longer than `statement_timeout`, so the server cancels first and says
/// so; the outcome is unknown only if the connection broke.
pub(super) fn client_timeout(timeout: Duration) -> Duration {
    timeout.saturating_add(timeout / 10).saturating_add(Duration::from_millis(100))
}

/// Returns the SQL that a new session starts with.
///
/// It sets the isolation level `read committed`, which the statements rely on, in place of the server's default. It sets
/// `statement_timeout` and `lock_timeout`, so that the server does not complete later a call that this end has abandoned;
/// a shorter setting of the server stays. Its keepalives let the server notice soon that this end is gone.
fn session_setup(timeout: Duration, lock_timeout: Option<Duration>) -> String {
    format!(
        "set session characteristics as transaction isolation level read committed; {NO_JIT}; {}; {KEEPALIVES}; {}",
        timeouts_sql(timeout, lock_timeout, "false"),
        ServerProcess::IDENTIFY
    )
}

fn timeouts_sql(timeout: Duration, lock_timeout: Option<Duration>, is_local: &str) -> String {
    let statement = set_timeout("statement_timeout", timeout, is_local);
    match lock_timeout {
        Some(lock_timeout) => format!("{statement}; {}", set_timeout("lock_timeout", lock_timeout, is_local)),
        None => statement,
    }
}

/// Returns the SQL that sets a timeout, unless the server has a shorter one.
fn set_timeout(setting: &str, timeout: Duration, is_local: &str) -> String {
    // The server's setting has 32 bits.
    let ms = timeout.as_millis().clamp(1, i32::MAX as u128);
    format!(
        "select set_config('{setting}', '{ms}ms', {is_local}) where not \
         current_setting('{setting}')::interval between interval '1us' and interval '{ms}ms'"
    )
}
