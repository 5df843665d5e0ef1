//! Checks whether a connection that does not answer is dead.
//!
//! A connection can die without being closed: a firewall, a load balancer or a pooler forgets it, and neither an answer
//! nor an error arrives any more. A statement that waits for a lock looks the same to the client. So the client asks the
//! server, over a new connection, whether it works on the statement.
//!
//! # Tasks and shared state
//!
//! A check runs within the call that waits, concurrently with the answer. The only shared state is the time of the last
//! warning, in `DeadConnectionWarning`. No task is woken.
//!
//! # Races
//!
//! - The answer may arrive during a check. It wins.
//! - The server is idle between two round trips of a call. So two checks, some time apart, must both find it idle.
//! - The server may reuse a process id. So a process is identified by its id and its start.

use std::pin::pin;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};
use tokio::time::{Instant, timeout};

use crate::error::{is_server_error, to_queue_error};
use crate::target::Target;

/// The time between two checks of a statement doubles up to this.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The bound of one check, including its connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The time between two checks that must agree: a call has several round trips, and the server is idle between them.
const IDLE_RECHECK: Duration = Duration::from_millis(300);

/// The server's process for a connection. Process ids are reused, so the process's start is part of its identity.
#[derive(Clone, Debug)]
pub(crate) struct ServerProcess {
    pub(crate) pid: i32,
    started: String,
}

/// When a connection is suspected to be dead.
#[derive(Clone, Copy)]
pub(crate) struct LivenessChecks {
    /// A connection that was idle for this time is pinged before it is used.
    pub(crate) ping_after: Duration,
    /// If the ping was not answered for this time, another connection is opened.
    pub(crate) ping_timeout: Duration,
    /// If a statement has not been answered for this time, a second connection asks the server whether it works on it.
    pub(crate) check_after: Duration,
}

impl Default for LivenessChecks {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { ping_after: ms(1_000), ping_timeout: ms(250), check_after: ms(1_500) }
    }
}

impl LivenessChecks {
    /// Returns the times for claims, which must find jobs within twice the poll interval.
    pub(crate) fn for_claims(poll_interval: Duration) -> Self {
        let usual = Self::default();
        let quarter = (poll_interval / 4).max(Duration::from_millis(50));
        Self {
            ping_after: quarter.min(usual.ping_after),
            ping_timeout: quarter.min(usual.ping_timeout),
            check_after: (quarter * 2).min(usual.check_after),
        }
    }
}

/// The result of waiting for an answer.
pub(crate) enum WaitOutcome<T> {
    Answered(T),
    /// The answer did not arrive within the bound.
    TimedOut,
    /// The answer will not arrive: the connection is dead.
    Dead,
}

/// The state of the server's process for a connection.
#[derive(PartialEq)]
enum ProcessState {
    Working,
    Idle,
    /// The server did not answer over a new connection.
    Unreachable,
    /// The server answered with an error.
    Unknown,
}

impl ServerProcess {
    /// The query by which a session reads its own process's identity.
    pub(crate) const IDENTIFY: &str = "select pg_backend_pid(), coalesce((select backend_start::text from \
        pg_stat_get_activity(pg_backend_pid())), '')";

    /// Reads the row that [`IDENTIFY`](Self::IDENTIFY) returns.
    pub(crate) fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { pid: row.try_get(0)?, started: row.try_get(1)? })
    }

    /// Asks the server over a new connection what the process does.
    async fn state(&self, target: &Target) -> ProcessState {
        // The server may hide the state from other users, or from all.
        let query = format!(
            "select state is null or state = 'disabled' or (state not like 'idle%' and wait_event is distinct from \
             'ClientRead') from {}",
            self.activity()
        );
        let state = async {
            let Ok(options) = target.connect_options().await else { return ProcessState::Unknown };
            let answer = async {
                let mut connection = PgConnection::connect_with(&options).await?;
                let row = raw_sql(AssertSqlSafe(query)).fetch_optional(&mut connection).await?;
                row.map_or(Ok(false), |row| row.try_get::<bool, _>(0))
            };
            match answer.await {
                Ok(true) => ProcessState::Working,
                Ok(false) => ProcessState::Idle,
                Err(error) if is_server_error(&error) => ProcessState::Unknown,
                Err(_) => ProcessState::Unreachable,
            }
        };
        timeout(CHECK_TIMEOUT, state).await.unwrap_or(ProcessState::Unreachable)
    }

    /// Returns whether the process works on a statement. Only two checks in a row that find it idle count as `false`.
    async fn is_working(&self, target: &Target) -> bool {
        match self.state(target).await {
            ProcessState::Working | ProcessState::Unknown => true,
            ProcessState::Unreachable => false,
            ProcessState::Idle => {
                tokio::time::sleep(IDLE_RECHECK).await;
                matches!(self.state(target).await, ProcessState::Working | ProcessState::Unknown)
            }
        }
    }

    /// Returns the row of the process in `pg_stat_activity`, for a `from` clause. The view reads the rows of all processes.
    fn activity(&self) -> String {
        let started = self.started.replace('\'', "''");
        format!("pg_stat_get_activity({}) where backend_start::text = '{started}'", self.pid)
    }

    /// Returns the SQL that calls a function such as `pg_terminate_backend` for the process.
    pub(crate) fn signal_sql(&self, function: &str) -> String {
        format!("select {function}(pid) from {}", self.activity())
    }

    /// Asks the server, over a new connection, to cancel the process's statement or to end its session, so that an
    /// abandoned call neither holds locks nor completes later. Does nothing if the server can't be reached.
    pub(crate) async fn signal(&self, target: &Target, function: &'static str) {
        let signal = self.signal_sql(function);
        let signalled = async {
            let options = target.connect_options().await?;
            let connect = PgConnection::connect_with(&options).await;
            let mut connection = connect.map_err(|error| to_queue_error(error, target))?;
            let signalled = raw_sql(AssertSqlSafe(signal)).execute(&mut connection).await;
            signalled.map_err(|error| to_queue_error(error, target))
        };
        if let Ok(Err(error)) = timeout(CHECK_TIMEOUT, signalled).await {
            tracing::debug!(database = %target, ?error, function, "a server process could not be signalled");
        }
    }
}

/// Waits for an answer within `bound`, or until the server no longer works on it, which is first checked after `check`.
///
/// If the process is not known, as behind a pooler, only the bound applies.
///
/// # Cancel safety
///
/// Dropping the future drops `answer`.
pub(crate) async fn wait_for_answer<T>(
    target: &Target,
    process: Option<&ServerProcess>,
    check: Duration,
    bound: Duration,
    answer: impl Future<Output = T>,
) -> WaitOutcome<T> {
    let mut answer = pin!(answer);
    let began = Instant::now();
    let mut interval = check;
    loop {
        let left = bound.saturating_sub(began.elapsed());
        let Some(process) = process.filter(|_| interval < left) else {
            return match timeout(left, answer).await {
                Ok(answer) => WaitOutcome::Answered(answer),
                Err(_) => WaitOutcome::TimedOut,
            };
        };
        if let Ok(answer) = timeout(interval, &mut answer).await {
            return WaitOutcome::Answered(answer);
        }
        tokio::select! {
            biased;
            answer = &mut answer => return WaitOutcome::Answered(answer),
            works = process.is_working(target) => if !works {
                target.dead_connection_warning.warn(target);
                return WaitOutcome::Dead;
            },
        }
        interval = (interval * 2).min(MAX_CHECK_INTERVAL);
    }
}
