//! A connection to the server, which is replaced when it is lost.
//!
//! # Tasks and shared state
//!
//! A [`ReconnectingConnection`] belongs to one task at a time, and shares only the [`SpareSessions`]. A call takes the session out
//! of it, or a spare one if it has none, and returns the session once the server has answered. So dropping a call's future drops
//! its session.
//!
//! # Races
//!
//! - The server may end an idle session before a statement arrives. Nothing was done then, and the statement is sent
//!   over a new session.
//! - A connection may break, or stop answering, after a statement was sent. Whether it was done is not known, and
//!   [`outcome_unknown`](CallError::outcome_unknown) is set. If the connection stopped answering, a second connection
//!   asks the server to end the session, so that an abandoned statement neither commits later nor keeps its locks.

mod session;
mod spare_sessions;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use queue_core::QueueError;
use sqlx::Connection as _;
use tokio::time::{Instant, timeout};

use crate::error::{
    answer_lost, connection_died, is_cancelled, is_connection_lost, is_contention, is_lock_timeout,
    timed_out, to_queue_error, was_closed_while_idle,
};
use crate::liveness::{LivenessChecks, WaitOutcome, wait_for_answer};
use crate::target::Target;
use session::{client_timeout, in_transaction};

pub(crate) use session::{KEEPALIVES, Op, Session, TRANSACTION_KEEPALIVES};
pub(crate) use spare_sessions::SpareSessions;

/// The maximum number of retries of a transaction that the server rolled back in a conflict with another one.
const MAX_RETRIES: u32 = 10;

/// The timeout of a ping through a pooler, which may delay the answer until it has a free server connection.
const POOLER_PING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a shared statement waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(20);

/// The timeouts of connecting, as divisors of the queue's timeout: usually, and for replacing a connection that died
/// during a statement. Together with the time that it takes to notice a dead connection, a call is answered or refused
/// within 5 s of the default 30 s.
const CONNECT: u32 = 8;
const CONNECT_AFTER_DEATH: u32 = 25;

/// The least timeout of connecting.
const MIN_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection that opens a new session when it has lost its session.
pub(crate) struct ReconnectingConnection {
    target: Arc<Target>,
    /// Whether the last session died during a statement.
    has_died: bool,
    /// How long the server lets a statement wait for a lock; with `None`, for as long as the statement may take.
    lock_timeout: Option<Duration>,
    session: Option<Session>,
    spares: Arc<SpareSessions>,
    checks: LivenessChecks,
}

/// Why a call failed.
pub(crate) struct CallError {
    pub(crate) error: QueueError,
    /// Whether the call may have been done: the connection broke before the answer.
    pub(crate) outcome_unknown: bool,
    /// Whether nothing was done because another transaction has locked a row, key or table that it needs. Only a
    /// connection with a lock timeout sets it.
    pub(crate) is_blocked: bool,
}

/// How the check of an idle session ended.
enum IdleCheck {
    /// With the answer to the ping, or its error.
    Pinged(sqlx::Result<()>),
    /// With a new session, or the error of opening one, before any answer to the ping.
    Replaced(Result<Session, QueueError>),
}

impl ReconnectingConnection {
    /// Creates a connection that opens or takes its first session at its first call.
    pub(crate) fn new(target: Arc<Target>, spares: Arc<SpareSessions>) -> Self {
        let checks = LivenessChecks::default();
        Self { target, has_died: false, lock_timeout: None, session: None, spares, checks }
    }

    /// Sets other times of the connection's checks.
    pub(crate) fn with_checks(self, checks: LivenessChecks) -> Self {
        Self { checks, ..self }
    }

    /// Limits the wait of statements to 20 ms for a lock of another transaction; they are then [blocked](CallError::is_blocked).
    /// Statements that many callers share use such a connection.
    pub(crate) fn with_lock_timeout(self) -> Self {
        Self { lock_timeout: Some(LOCK_TIMEOUT), ..self }
    }

    /// Runs a transaction that may be done twice: if the connection breaks before the answer, runs it once more over
    /// another session.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub(crate) async fn call_idempotent<T>(&mut self, op: Op<'_, T>) -> Result<T, CallError> {
        match self.call(op).await {
            Err(failed) if failed.outcome_unknown => self.call(op).await,
            answer => answer,
        }
    }

    /// Runs a transaction once. An error says whether the transaction may have been done.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the session if it is in use.
    pub(crate) async fn call<T>(&mut self, op: Op<'_, T>) -> Result<T, CallError> {
        self.call_within(self.target.timeout, op).await
    }

    /// Runs a transaction as [`call`](Self::call) does, within `bound`, which must not exceed the queue's timeout.
    pub(crate) async fn call_within<T>(&mut self, bound: Duration, op: Op<'_, T>) -> Result<T, CallError> {
        for retry in 0.. {
            let session = self.take_session(bound).await?;
            let was_open = session.was_used();
            let started = Instant::now();
            let (error, session) = match self.run_in(session, bound, op).await? {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let target = self.target.clone();
            if was_open && was_closed_while_idle(&error) {
                // The server had ended the session before it read the statement; the next round opens a new one.
                continue;
            }
            if is_connection_lost(&error) {
                return Err(CallError::outcome_unknown(answer_lost(error, &target)));
            }
            self.keep(session);
            if is_cancelled(&error) && started.elapsed() >= target.timeout {
                return Err(timed_out(&target, bound).with_source(error).into());
            }
            let is_blocked = self.lock_timeout.is_some() && is_lock_timeout(&error);
            if is_blocked || !is_contention(&error) || retry >= MAX_RETRIES {
                return Err(CallError { is_blocked, ..to_queue_error(error, &target).into() });
            }
            tracing::debug!(database = %target, %error, "retrying a transaction after a conflict");
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=1 << retry.min(7)))).await;
        }
        unreachable!("the loop ends with an answer or with the last retry")
    }

    /// Runs a transaction in a session, and keeps the session after a success. Returns the session with an error of the
    /// transaction, and abandons it if it does not answer.
    async fn run_in<T>(
        &mut self,
        mut session: Session,
        bound: Duration,
        op: Op<'_, T>,
    ) -> Result<Result<T, (sqlx::Error, Session)>, CallError> {
        let target = self.target.clone();
        let limit = if bound < target.timeout { bound } else { client_timeout(bound) };
        let call = in_transaction(&mut session.connection, &target, self.lock_timeout, op);
        match wait_for_answer(&target, session.process.as_ref(), self.checks.check_after, limit, call).await {
            WaitOutcome::Answered(Ok(answer)) => {
                self.keep(session);
                Ok(Ok(answer))
            }
            WaitOutcome::Answered(Err(error)) => Ok(Err((error, session))),
            WaitOutcome::TimedOut => {
                session.abandon(target.clone());
                Err(CallError::outcome_unknown(timed_out(&target, bound)))
            }
            WaitOutcome::Dead => {
                self.has_died = true;
                session.abandon(target.clone());
                Err(CallError::outcome_unknown(connection_died(&target)))
            }
        }
    }

    fn keep(&mut self, mut session: Session) {
        session.note_used();
        self.session = self.spares.leave_if_shared(session);
    }

    /// Takes the session out of the connection, or a spare one, or opens one. A session that was idle for long has answered a
    /// ping. The caller returns the session by `keep` once it has answered.
    async fn take_session(&mut self, bound: Duration) -> Result<Session, QueueError> {
        let connect_timeout = |part| bound.min(MIN_CONNECT_TIMEOUT.max(self.target.timeout / part));
        let own = self.session.take();
        let Some(session) = (if own.is_some() { own } else { self.spares.take().await }) else {
            let part = if self.has_died { CONNECT_AFTER_DEATH } else { CONNECT };
            let bound = connect_timeout(part);
            self.has_died = false;
            return Session::open(&self.target, self.lock_timeout, bound).await;
        };
        let bound = connect_timeout(CONNECT);
        let is_idle = session.was_idle_for(self.checks.ping_after);
        let session = if is_idle { self.check_idle(session, bound).await? } else { session };
        if session.has_lock_timeout(&self.target, self.lock_timeout) {
            return Ok(session);
        }
        self.adopt(session, bound).await
    }

    /// Sets up a session that another connection has used.
    async fn adopt(&self, mut session: Session, bound: Duration) -> Result<Session, QueueError> {
        let target = &self.target;
        match timeout(bound, session.set_lock_timeout(self.lock_timeout)).await {
            Ok(Ok(())) => return Ok(session),
            Ok(Err(error)) => {
                tracing::debug!(database = %target, %error, "an idle connection was closed, opening another");
            }
            Err(_) => session.abandon(target.clone()),
        }
        Session::open(target, self.lock_timeout, bound).await
    }

    /// Returns an idle session if it is alive, and otherwise a new one.
    async fn check_idle(&self, mut session: Session, bound: Duration) -> Result<Session, QueueError> {
        let target = &self.target;
        match self.ping(&mut session, bound).await {
            IdleCheck::Pinged(Ok(())) => Ok(session),
            IdleCheck::Pinged(Err(error)) => {
                tracing::debug!(database = %target, %error, "an idle connection was closed, opening another");
                Session::open(target, self.lock_timeout, bound).await
            }
            IdleCheck::Replaced(opened) => {
                if opened.is_ok() {
                    target.dead_connection_warning.warn(target);
                }
                session.abandon(target.clone());
                opened
            }
        }
    }

    /// Pings an idle session. If it does not answer soon, opens another one too. If that one is open before the answer,
    /// the first one is dead: a slow server would be slow for both.
    async fn ping(&self, session: &mut Session, bound: Duration) -> IdleCheck {
        let began = Instant::now();
        let mut pong = pin!(session.connection.ping());
        let soon = if self.target.behind_pooler { POOLER_PING_TIMEOUT } else { self.checks.ping_timeout };
        if let Ok(pinged) = timeout(soon, &mut pong).await {
            return IdleCheck::Pinged(pinged);
        }
        let replacement = pin!(Session::open(&self.target, self.lock_timeout, bound));
        match select(pong, replacement).await {
            Either::Left((pinged, _)) => IdleCheck::Pinged(pinged),
            // The server may refuse another connection, as when `max_connections` is reached.
            Either::Right((Err(error), pong)) => {
                let pinged = timeout(bound.saturating_sub(began.elapsed()), pong).await;
                pinged.map_or(IdleCheck::Replaced(Err(error)), IdleCheck::Pinged)
            }
            Either::Right((opened, _)) => IdleCheck::Replaced(opened),
        }
    }
}

impl CallError {
    fn outcome_unknown(error: QueueError) -> Self {
        Self { outcome_unknown: true, ..error.into() }
    }
}

impl From<QueueError> for CallError {
    fn from(error: QueueError) -> Self {
        Self { error, outcome_unknown: false, is_blocked: false }
    }
}

impl From<CallError> for QueueError {
    fn from(failed: CallError) -> Self {
        failed.error
    }
}
