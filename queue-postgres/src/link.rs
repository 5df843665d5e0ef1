//! A connection to the server, which is replaced when it is lost.
//!
//! # Tasks and shared state
//!
//! A link belongs to one task at a time and shares nothing. A call takes the session out of the link, and returns it once
//! the server has answered. So dropping a call's future drops its connection.
//!
//! # Races
//!
//! - The server may end an idle session before a statement arrives. Nothing was done then, and the statement is sent
//!   over a new connection.
//! - A connection may break, or stop answering, after a statement was sent. Whether it was done is not known, and
//!   [`is_in_doubt`](Unanswered::is_in_doubt) is set. If the connection stopped answering, the server is asked to end
//!   the session, so that an abandoned statement neither commits later nor keeps its locks.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use queue_core::QueueError;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};
use tokio::time::{Instant, timeout};

use crate::error::{
    broken, explained, is_cancelled, is_connection_lost, is_contention, is_lock_timeout, was_ended_idle,
};
use crate::place::Place;
use crate::pulse::{Backend, Waited, watched};

/// The maximum number of retries of a transaction that the server rolled back in a conflict with another one.
const RETRIES: u32 = 10;

/// The bound of a ping through a pooler, which may delay the answer until it has a free server connection.
const POOLED_PING: Duration = Duration::from_secs(5);

/// When a link suspects that its connection is dead.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// A connection that was idle for this time is pinged before it is used.
    pub(crate) idle: Duration,
    /// If the ping was not answered for this time, another connection is opened.
    pub(crate) ping: Duration,
    /// If a statement has not been answered for this time, the server is asked whether it still works on it.
    pub(crate) check: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { idle: ms(1_000), ping: ms(250), check: ms(1_500) }
    }
}

impl Pace {
    /// Returns the pace of claims, which must find jobs within twice the poll interval.
    pub(crate) fn of_claims(poll_interval: Duration) -> Self {
        let pace = Self::default();
        let quarter = (poll_interval / 4).max(Duration::from_millis(50));
        Self {
            idle: quarter.min(pace.idle),
            ping: quarter.min(pace.ping),
            check: (quarter * 2).min(pace.check),
        }
    }
}

/// How long a shared statement waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(20);

/// The bounds of connecting, as divisors of the timeout: usually, and for replacing a connection that died during a
/// statement. Together with the time that it takes to notice a dead connection, a call is answered or refused within 5 s
/// of the default 30 s.
const CONNECT: u32 = 8;
const CONNECT_AFTER_DEATH: u32 = 25;

/// The least bound of connecting.
const LEAST_CONNECT: Duration = Duration::from_secs(1);

pub(crate) struct Link {
    place: Arc<Place>,
    /// Whether the last connection died during a statement.
    has_died: bool,
    /// How long the server lets a statement wait for a lock; with `None`, for as long as the statement may take.
    lock_timeout: Option<Duration>,
    session: Option<Session>,
    used: Instant,
    pace: Pace,
}

/// An open connection.
struct Session {
    connection: PgConnection,
    /// The server's process for the connection. It is not known behind a pooler, where it may change.
    backend: Option<Backend>,
}

/// One transaction to run over a connection. It may be run more than once.
pub(crate) type Ask<'a, T> =
    &'a (dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>> + Send + Sync);

/// Why a call failed.
pub(crate) struct Unanswered {
    pub(crate) error: QueueError,
    /// Whether the call may have been done: the connection broke before the answer.
    pub(crate) is_in_doubt: bool,
    /// Whether nothing was done because another transaction has locked a row, key or table that it needs. Only an
    /// impatient link sets it.
    pub(crate) is_blocked: bool,
}

impl From<QueueError> for Unanswered {
    fn from(error: QueueError) -> Self {
        Self { error, is_in_doubt: false, is_blocked: false }
    }
}

impl From<Unanswered> for QueueError {
    fn from(unanswered: Unanswered) -> Self {
        unanswered.error
    }
}

impl Link {
    /// Creates a link that connects at its first call.
    pub(crate) fn new(place: Arc<Place>) -> Self {
        Self::paced(place, Pace::default())
    }

    /// Creates a link that suspects its connection after the times of `pace`.
    pub(crate) fn paced(place: Arc<Place>, pace: Pace) -> Self {
        Self { place, has_died: false, lock_timeout: None, session: None, used: Instant::now(), pace }
    }

    /// Creates a link whose statements wait at most 20 ms for a lock of another transaction, and are then
    /// [blocked](Unanswered::is_blocked). Statements that many callers share use such a link.
    pub(crate) fn impatient(place: Arc<Place>) -> Self {
        Self { lock_timeout: Some(LOCK_TIMEOUT), ..Self::new(place) }
    }

    /// Runs a transaction once. On an error it may have been done or not.
    pub(crate) async fn call<T>(&mut self, ask: Ask<'_, T>) -> Result<T, QueueError> {
        self.try_call(ask).await.map_err(|unanswered| unanswered.error)
    }

    /// Runs a transaction that may be done twice: if the connection breaks before the answer, runs it once more over
    /// another one.
    ///
    /// # Cancel safety
    ///
    /// As [`try_call`](Self::try_call).
    pub(crate) async fn call_again<T>(&mut self, ask: Ask<'_, T>) -> Result<T, Unanswered> {
        match self.try_call(ask).await {
            Err(unanswered) if unanswered.is_in_doubt => self.try_call(ask).await,
            answer => answer,
        }
    }

    /// Runs a transaction once. An error says whether the transaction may have been done.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection if it is in use.
    pub(crate) async fn try_call<T>(&mut self, ask: Ask<'_, T>) -> Result<T, Unanswered> {
        self.try_call_within(self.place.timeout, ask).await
    }

    /// Runs a transaction as [`try_call`](Self::try_call) does, within `bound`, which must not exceed the timeout.
    pub(crate) async fn try_call_within<T>(
        &mut self,
        bound: Duration,
        ask: Ask<'_, T>,
    ) -> Result<T, Unanswered> {
        let known = Unanswered::from;
        for retry in 0.. {
            let is_kept = self.session.is_some();
            let mut session = self.connected(bound).await.map_err(known)?;
            let (place, started) = (self.place.clone(), Instant::now());
            let patience = if bound < place.timeout { bound } else { patience(bound) };
            let (connection, backend) = (&mut session.connection, session.backend.as_ref());
            let call = asked(connection, &place, self.lock_timeout, ask);
            match watched(&place, backend, self.pace.check, patience, call).await {
                Waited::Answered(Ok(answer)) => {
                    self.keep(session);
                    return Ok(answer);
                }
                // The server had ended the session before it read the statement; the next round opens a new one.
                Waited::Answered(Err(error)) if is_kept && was_ended_idle(&error) => {}
                Waited::Answered(Err(error)) if is_connection_lost(&error) => {
                    return Err(in_doubt(broken(error, &self.place)));
                }
                Waited::Answered(Err(error)) => {
                    self.keep(session);
                    if is_cancelled(&error) && started.elapsed() >= place.timeout {
                        return Err(known(unanswered(&place, bound).with_source(error)));
                    }
                    if self.lock_timeout.is_some() && is_lock_timeout(&error) {
                        return Err(Unanswered { is_blocked: true, ..known(explained(error, &self.place)) });
                    }
                    if !is_contention(&error) || retry >= RETRIES {
                        return Err(known(explained(error, &self.place)));
                    }
                    tracing::debug!(place = %self.place, %error, "retrying a transaction after a conflict");
                    let pause = Duration::from_millis(fastrand::u64(0..=1 << retry.min(7)));
                    tokio::time::sleep(pause).await;
                }
                Waited::TooLong => {
                    abandon(session, place.clone());
                    return Err(in_doubt(unanswered(&place, bound)));
                }
                Waited::Dead => {
                    self.has_died = true;
                    abandon(session, place.clone());
                    return Err(in_doubt(died(&place)));
                }
            }
        }
        unreachable!("the loop ends with an answer or with the last retry")
    }

    fn keep(&mut self, session: Session) {
        self.used = Instant::now();
        self.session = Some(session);
    }

    /// Takes the session out of the link, or opens one. A session that was idle for long has answered a ping. The caller
    /// returns the session by `keep` once it has answered.
    async fn connected(&mut self, bound: Duration) -> Result<Session, QueueError> {
        let (place, lock_timeout) = (&self.place, self.lock_timeout);
        let open = async |bound| {
            timeout(bound, Session::open(place, lock_timeout))
                .await
                .unwrap_or_else(|_| Err(place.unreachable(bound)))
        };
        let Some(mut session) = self.session.take() else {
            let has_died = std::mem::take(&mut self.has_died);
            let part = if has_died { CONNECT_AFTER_DEATH } else { CONNECT };
            return open(bound.min(LEAST_CONNECT.max(place.timeout / part))).await;
        };
        let bound = bound.min(LEAST_CONNECT.max(place.timeout / CONNECT));
        let replacement = open(bound);
        let began = Instant::now();
        if self.used.elapsed() < self.pace.idle {
            return Ok(session);
        }
        // If it does not answer soon, another connection is opened. If that one is open before the answer, the first one
        // is dead: a slow server would be slow for both.
        let first = {
            let mut pong = pin!(session.connection.ping());
            let soon = if place.is_pooled { POOLED_PING } else { self.pace.ping };
            match timeout(soon, &mut pong).await {
                Ok(pinged) => Either::Left(pinged),
                Err(_) => match select(pong, pin!(replacement)).await {
                    Either::Left((pinged, _)) => Either::Left(pinged),
                    // The server may refuse another connection, as when `max_connections` is reached.
                    Either::Right((Err(error), pong)) => {
                        match timeout(bound.saturating_sub(began.elapsed()), pong).await {
                            Ok(pinged) => Either::Left(pinged),
                            Err(_) => Either::Right(Err(error)),
                        }
                    }
                    Either::Right((opened, _)) => Either::Right(opened),
                },
            }
        };
        match first {
            Either::Left(Ok(())) => Ok(session),
            Either::Left(Err(error)) => {
                tracing::debug!(%place, %error, "an idle connection was closed, opening another");
                open(bound).await
            }
            Either::Right(opened) => {
                if opened.is_ok() {
                    place.alarm.raise(place);
                }
                abandon(session, place.clone());
                opened
            }
        }
    }
}

impl Session {
    async fn open(place: &Place, lock_timeout: Option<Duration>) -> Result<Self, QueueError> {
        let mut connection = place.connect().await?;
        if place.is_pooled {
            return Ok(Self { connection, backend: None });
        }
        let opened =
            raw_sql(AssertSqlSafe(opening(place.timeout, lock_timeout))).fetch_all(&mut connection).await;
        let backend = opened.and_then(|rows| rows.last().map(Backend::read).transpose());
        let backend = backend.map_err(|error| explained(error, place))?;
        Ok(Self { connection, backend })
    }
}

/// Drops a connection that did not answer, and asks the server to end its session.
fn abandon(session: Session, place: Arc<Place>) {
    if let Some(backend) = session.backend {
        tokio::spawn(async move { backend.signal(&place, "pg_terminate_backend").await });
    }
}

/// Returns the client-side timeout. It is slightly longer than `statement_timeout`, so the server cancels first and says
/// so; the outcome is unknown only if the connection broke.
fn patience(timeout: Duration) -> Duration {
    timeout.saturating_add(timeout / 10).saturating_add(Duration::from_millis(100))
}

pub(crate) fn unanswered(place: &Place, bound: Duration) -> QueueError {
    QueueError::unavailable(format!("{place} did not answer within {bound:?}"))
}

pub(crate) fn died(place: &Place) -> QueueError {
    QueueError::unavailable(format!(
        "a connection to {place} stopped answering without being closed: whether the call was done is not known"
    ))
}

/// Returns the SQL that a new session starts with.
///
/// It sets the isolation level `read committed`, which the statements rely on, whatever the server's default is. It sets
/// `statement_timeout` and `lock_timeout`, so that the server does not complete later a call that this end has given up;
/// a shorter setting of the server stays. Its keepalives let the server notice soon that this end is gone.
fn opening(timeout: Duration, lock_timeout: Option<Duration>) -> String {
    format!(
        "set session characteristics as transaction isolation level read committed; {}; {KEEPALIVES}; {}",
        bounds(timeout, lock_timeout, "false"),
        Backend::IDENTIFY
    )
}

/// The server's keepalives. The driver sets none at this end of a connection.
pub(crate) const KEEPALIVES: &str = "select set_config('tcp_keepalives_idle', '30', false), \
    set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false)";

/// The same for one transaction, on a connection that is used for other purposes after it.
pub(crate) const KEEPALIVES_OF_A_TRANSACTION: &str = "select set_config('tcp_keepalives_idle', '30', true), \
    set_config('tcp_keepalives_interval', '10', true), set_config('tcp_keepalives_count', '3', true)";

fn bounds(timeout: Duration, lock_timeout: Option<Duration>, is_local: &str) -> String {
    let bound = |setting, bound: Duration| {
        // The server's setting has 32 bits.
        let ms = bound.as_millis().clamp(1, i32::MAX as u128);
        format!(
            "select set_config('{setting}', '{ms}ms', {is_local}) where not \
             current_setting('{setting}')::interval between interval '1us' and interval '{ms}ms'"
        )
    };
    let statement = bound("statement_timeout", timeout);
    match lock_timeout {
        Some(lock_timeout) => format!("{statement}; {}", bound("lock_timeout", lock_timeout)),
        None => statement,
    }
}

fn in_doubt(error: QueueError) -> Unanswered {
    Unanswered { is_in_doubt: true, ..error.into() }
}

/// Ends the transaction of a client that stops between two of its statements, which releases the row locks.
const FROZEN_CLIENT: &str = "select set_config('idle_in_transaction_session_timeout', '10s', true)";

/// Runs `ask` in one implicit transaction; through a pooler, which may give each statement another connection, in an
/// explicit one.
async fn asked<T>(
    connection: &mut PgConnection,
    place: &Place,
    lock_timeout: Option<Duration>,
    ask: Ask<'_, T>,
) -> sqlx::Result<T> {
    if !place.is_pooled {
        return ask(connection).await;
    }
    let begin = format!(
        "begin isolation level read committed; {FROZEN_CLIENT}; {}",
        bounds(place.timeout, lock_timeout, "true")
    );
    raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await?;
    let answer = ask(connection).await;
    let end = if answer.is_ok() { "commit" } else { "rollback" };
    let ended = raw_sql(AssertSqlSafe(end)).execute(&mut *connection).await;
    match (answer, ended) {
        (Ok(answer), Ok(_)) => Ok(answer),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}
