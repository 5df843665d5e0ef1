//! Whether a connection that does not answer still lives.
//!
//! A connection can die without being closed: a firewall, a load balancer or a pooler forgets it, and nothing comes back any
//! more, no error either. A statement that waits for a lock looks the same from here. So the server is asked, over a new
//! connection, whether it works on the statement.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, raw_sql};
use tokio::time::{Instant, timeout};

use crate::error::is_of_the_server;
use crate::place::Place;

/// A statement is asked about again after twice the time, and so on up to this.
const LONGEST_CHECK: Duration = Duration::from_secs(5);

/// The bound of one check, its connection included.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The time between two checks that must agree: a call takes several trips, and the server is idle between them.
const BETWEEN: Duration = Duration::from_millis(300);

/// Connections that die within this time of a warning are not warned of.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The server's process behind a connection. Processes are numbered again and again, so its start belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) pid: i32,
    started: String,
}

/// What became of an answer that was waited for.
pub(crate) enum Waited<T> {
    Answered(T),
    /// It did not come within the bound.
    TooLong,
    /// It will not come: the connection is dead.
    Dead,
}

/// What the server does for a connection.
#[derive(PartialEq)]
enum State {
    Working,
    Idle,
    /// The server did not answer, over a new connection either.
    Unreachable,
    /// The server refused to say.
    Unknown,
}

impl Backend {
    /// The columns by which a session learns of its own backend.
    pub(crate) const IDENTIFY: &str = "select pg_backend_pid(), coalesce((select backend_start::text from \
        pg_stat_activity where pid = pg_backend_pid()), '')";

    pub(crate) fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { pid: row.try_get(0)?, started: row.try_get(1)? })
    }

    /// Asks over a new connection what the backend does.
    async fn state(&self, place: &Place) -> State {
        // The server may hide what it does, from other users or from all.
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

    /// Asks the server, over a new connection, to cancel the statement of the backend or to end its session: it must neither
    /// hold locks nor do later what nobody waits for. Nothing is done if the server can't be asked.
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
            tracing::debug!(%place, ?error, function, "a session of the server could not be signalled");
        }
    }
}

/// Waits for an answer within a bound, and no longer once the server has nothing to do for it; that is asked first when there
/// was no answer for `check`.
///
/// Where the backend is not known, as behind a pooler, the bound alone holds.
///
/// # Cancel safety
///
/// Dropping the future drops the one that is waited for.
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

/// Warns of connections that died without being closed, once for all of them.
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
                "a connection stopped answering without being closed and is replaced: see firewalls, load balancers and \
                 poolers that drop connections"
            );
        }
    }
}
