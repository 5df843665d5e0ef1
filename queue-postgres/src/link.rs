//! One connection to the server, made anew whenever it's lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::QueueError;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};
use tokio::time::{Instant, timeout};

use crate::error::{explained, is_cancelled, is_connection_lost, is_contention, is_lock_timeout};
use crate::place::Place;

/// How often a transaction is run again that the server gave up in favour of another.
const RETRIES: u32 = 10;

/// A connection that was idle for so long is asked whether it still lives before it's used.
const IDLE: Duration = Duration::from_secs(1);

/// How long a statement that others share waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(20);

pub(crate) struct Link {
    place: Arc<Place>,
    /// How long the server lets a statement wait for a lock; `None` waits for as long as the statement may take.
    lock_timeout: Option<Duration>,
    connection: Option<PgConnection>,
    used: Instant,
}

/// What is asked over a connection: one transaction, which may be asked more than once.
pub(crate) type Ask<'a, T> =
    &'a (dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>> + Send + Sync);

/// Why there is no answer.
pub(crate) struct Unanswered {
    pub(crate) error: QueueError,
    /// Whether it may have been done nevertheless: the connection broke in the middle.
    pub(crate) is_in_doubt: bool,
    /// Whether nothing was done because another transaction has locked what it needs. Only an impatient link says so.
    pub(crate) is_blocked: bool,
}

impl From<QueueError> for Unanswered {
    fn from(error: QueueError) -> Self {
        Self { error, is_in_doubt: false, is_blocked: false }
    }
}

impl Link {
    /// Makes a link that connects when it's first needed.
    pub(crate) fn new(place: Arc<Place>) -> Self {
        Self { place, lock_timeout: None, connection: None, used: Instant::now() }
    }

    /// Creates a link whose statements wait for no lock of another transaction: they are [blocked](Unanswered::is_blocked)
    /// after 20 ms. Statements that many callers share go over such a link.
    pub(crate) fn impatient(place: Arc<Place>) -> Self {
        Self { lock_timeout: Some(LOCK_TIMEOUT), ..Self::new(place) }
    }

    /// Asks for something that may be left undone, and told so.
    pub(crate) async fn call<T>(&mut self, ask: Ask<'_, T>) -> Result<T, QueueError> {
        self.try_call(ask).await.map_err(|unanswered| unanswered.error)
    }

    /// Asks, and says what is in doubt if there is no answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection if it is in use.
    pub(crate) async fn try_call<T>(&mut self, ask: Ask<'_, T>) -> Result<T, Unanswered> {
        for retry in 0.. {
            let known = Unanswered::from;
            let mut connection = self.connected().await.map_err(known)?;
            let (place, started) = (self.place.clone(), Instant::now());
            let call = asked(&mut connection, &place, self.lock_timeout, ask);
            let answer = timeout(patience(place.timeout), call).await;
            match answer {
                Ok(Ok(answer)) => {
                    self.keep(connection);
                    return Ok(answer);
                }
                Ok(Err(error)) if is_connection_lost(&error) => {
                    return Err(in_doubt(explained(error, &self.place)));
                }
                Ok(Err(error)) => {
                    self.keep(connection);
                    if is_cancelled(&error) && started.elapsed() >= place.timeout {
                        return Err(known(unanswered(&place).with_source(error)));
                    }
                    if self.lock_timeout.is_some() && is_lock_timeout(&error) {
                        return Err(Unanswered { is_blocked: true, ..known(explained(error, &self.place)) });
                    }
                    if !is_contention(&error) || retry >= RETRIES {
                        return Err(known(explained(error, &self.place)));
                    }
                    tracing::debug!(place = %self.place, %error, "a transaction is run again");
                    let pause = Duration::from_millis(fastrand::u64(0..=1 << retry.min(7)));
                    tokio::time::sleep(pause).await;
                }
                Err(_) => {
                    return Err(in_doubt(unanswered(&place)));
                }
            }
        }
        unreachable!("the loop ends with an answer or with the last retry")
    }

    fn keep(&mut self, connection: PgConnection) {
        self.used = Instant::now();
        self.connection = Some(connection);
    }

    /// Takes the connection out, alive as far as anybody knows; it's put back by `keep` once it has answered.
    async fn connected(&mut self) -> Result<PgConnection, QueueError> {
        let place = &self.place;
        if let Some(mut connection) = self.connection.take() {
            if self.used.elapsed() < IDLE {
                return Ok(connection);
            }
            if let Ok(Ok(())) = timeout(place.timeout, connection.ping()).await {
                return Ok(connection);
            }
        }
        let connect = async {
            let mut connection = PgConnection::connect_with(&place.options).await?;
            if !place.is_pooled {
                raw_sql(AssertSqlSafe(opening(place.timeout, self.lock_timeout)))
                    .execute(&mut connection)
                    .await?;
            }
            Ok(connection)
        };
        match timeout(place.timeout, connect).await {
            Ok(connected) => connected.map_err(|error| explained(error, place)),
            Err(_) => Err(QueueError::unavailable(format!(
                "{place} can't be reached within {:?}: see the address, the port and the firewalls between",
                place.timeout
            ))),
        }
    }
}

/// How long an answer is waited for: so long that the server itself says that it ended the statement, and nothing is in
/// doubt but where the connection is broken.
fn patience(timeout: Duration) -> Duration {
    timeout.saturating_add(timeout / 10).saturating_add(Duration::from_millis(100))
}

fn unanswered(place: &Place) -> QueueError {
    QueueError::unavailable(format!("{place} did not answer within {:?}", place.timeout))
}

/// What a connection begins with.
///
/// The statements count on seeing what others commit meanwhile, whatever the server's default is; and what this end no
/// longer waits for isn't to be done later. A bound that the server was given is left, if it's the closer one.
fn opening(timeout: Duration, lock_timeout: Option<Duration>) -> String {
    format!(
        "set session characteristics as transaction isolation level read committed; {}",
        bounds(timeout, lock_timeout, "false")
    )
}

fn bounds(timeout: Duration, lock_timeout: Option<Duration>, is_local: &str) -> String {
    let bound = |setting, bound: Duration| {
        // The server counts in 32 bits.
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

/// Asks in one implicit transaction; or, where a pooler may give each statement another connection, in an explicit one.
async fn asked<T>(
    connection: &mut PgConnection,
    place: &Place,
    lock_timeout: Option<Duration>,
    ask: Ask<'_, T>,
) -> sqlx::Result<T> {
    if !place.is_pooled {
        return ask(connection).await;
    }
    let begin =
        format!("begin isolation level read committed; {}", bounds(place.timeout, lock_timeout, "true"));
    raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await?;
    let answer = ask(connection).await;
    let end = if answer.is_ok() { "commit" } else { "rollback" };
    let ended = raw_sql(AssertSqlSafe(end)).execute(&mut *connection).await;
    match (answer, ended) {
        (Ok(answer), Ok(_)) => Ok(answer),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}
