//! Checks whether a connection that does not answer is dead.
//!
//! A connection can die without being closed: a firewall, a load balancer or a pooler forgets it, and neither an answer
//! nor an error arrives any more. A statement that waits for a lock looks the same to the client. So the client asks the
//! server, over a new connection, whether it works on the statement.
//!
//! # Tasks and shared state
//!
//! A check runs within the call that waits, concurrently with the answer. The only shared state is [`Alarm`], the time of
//! the last warning. No task is woken.
//!
//! # Races
//!
//! - The answer may arrive during a check. It wins.
//! - The server is idle between two round trips of a call. So two checks, some time apart, must both find it idle.
//! - The server may reuse a process id. So a process is identified by its id and its start.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, raw_sql};
use tokio::time::{Instant, timeout};

use crate::error::is_of_the_server;
use crate::place::Place;

/// The time between two checks of a statement doubles up to this.
const LONGEST_CHECK: Duration = Duration::from_secs(5);

/// The bound of one check, including its connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The time between two checks that must agree: a call has several round trips, and the server is idle between them.
const BETWEEN: Duration = Duration::from_millis(300);

/// A connection that dies within this time of the last warning or dead connection causes no further warning.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The server's process for a connection. Process ids are reused, so the process's start is part of its identity.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) pid: i32,
    started: String,
}

/// The result of waiting for an answer.
pub(crate) enum Waited<T> {
    Answered(T),
    /// The answer did not arrive within the bound.
    TooLong,
    /// The answer will not arrive: the connection is dead.
    Dead,
}

/// What the server's process for a connection does.
#[derive(PartialEq)]
enum State {
    Working,
    Idle,
    /// The server did not answer over a new connection.
    Unreachable,
    /// The server answered with an error.
    Unknown,
}

impl Backend {
    /// The query by which a session reads its own process's identity.
    pub(crate) const IDENTIFY: &str = "select pg_backend_pid(), coalesce((select backend_start::text from \
        pg_stat_activity where pid = pg_backend_pid()), '')";

    pub(crate) fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { pid: row.try_get(0)?, started: row.try_get(1)? })
    }

    /// Asks the server over a new connection what the process does.
    async fn state(&self, place: &Place) -> State {
        // The server may hide the state from other users, or from all.
        let ask = format!(
            "select state is null or state = 'disabled' or (state not like 'idle%' and wait_event is distinct from \
             'ClientRead') from pg_stat_activity where {}",
            self.condition()
        );
        let asked = async {
            let Ok(options) = place.connect_options().await else { return State::Unknown };
            let answer = async {
                let mut connection = <PgConnection as sqlx::Connection>::connect_with(&options).await?;
                let row = raw_sql(AssertSqlSafe(ask)).fetch_optional(&mut connection).await?;
                row.map_or(Ok(false), |row| row.try_get::<bool, _>(0))
            };
            match answer.await {
                Ok(true) => State::Working,
                Ok(false) => State::Idle,
                Err(error) if is_of_the_server(&error) => State::Unknown,
                Err(_) => State::Unreachable,
            }
        };
        timeout(CHECK_TIMEOUT, asked).await.unwrap_or(State::Unreachable)
    }

    fn condition(&self) -> String {
        format!("pid = {} and backend_start::text = '{}'", self.pid, self.started.replace('\'', "''"))
    }

    /// Asks the server, over a new connection, to cancel the process's statement or to end its session, so that an
    /// abandoned call neither holds locks nor completes later. Does nothing if the server can't be reached.
    pub(crate) async fn signal(&self, place: &Place, function: &'static str) {
        let signal = format!("select {function}(pid) from pg_stat_activity where {}", self.condition());
        let signalled = async {
            let options = place.connect_options().await?;
            let connect = <PgConnection as sqlx::Connection>::connect_with(&options).await;
            let mut connection = connect.map_err(|error| crate::error::explained(error, place))?;
            let signalled = raw_sql(AssertSqlSafe(signal)).execute(&mut connection).await;
            signalled.map_err(|error| crate::error::explained(error, place))
        };
        if let Ok(Err(error)) = timeout(CHECK_TIMEOUT, signalled).await {
            tracing::debug!(%place, ?error, function, "a server process could not be signalled");
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
pub(crate) async fn watched<T>(
    place: &Place,
    backend: Option<&Backend>,
    check: Duration,
    bound: Duration,
    answer: impl Future<Output = T>,
) -> Waited<T> {
    let mut answer = pin!(answer);
    let began = Instant::now();
    let mut interval = check;
    loop {
        let left = bound.saturating_sub(began.elapsed());
        let Some(backend) = backend.filter(|_| interval < left) else {
            return match timeout(left, answer).await {
                Ok(answer) => Waited::Answered(answer),
                Err(_) => Waited::TooLong,
            };
        };
        if let Ok(answer) = timeout(interval, &mut answer).await {
            return Waited::Answered(answer);
        }
        let check = async {
            match backend.state(place).await {
                State::Working | State::Unknown => true,
                State::Unreachable => false,
                State::Idle => {
                    tokio::time::sleep(BETWEEN).await;
                    matches!(backend.state(place).await, State::Working | State::Unknown)
                }
            }
        };
        tokio::select! {
            biased;
            answer = &mut answer => return Waited::Answered(answer),
            lives = check => if !lives {
                place.alarm.raise(place);
                return Waited::Dead;
            },
        }
        interval = (interval * 2).min(LONGEST_CHECK);
    }
}

/// Warns of connections that died without being closed, once for several of them.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Mutex<Option<Instant>>);

impl Alarm {
    pub(crate) fn raise(&self, place: &Place) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = last.is_some_and(|last| last.elapsed() < WARNING_INTERVAL);
        *last = Some(Instant::now());
        if !is_known {
            tracing::warn!(
                %place,
                "a connection stopped answering without being closed and is replaced: check firewalls, load balancers and \
                 poolers that drop connections"
            );
        }
    }
}
