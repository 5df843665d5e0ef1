//! The listener: receives the notifications of other processes, so that claims need not poll often. It connects when a claim
//! first waits.
//!
//! **Invariant:** notifications only save time. If the listener fails in any way, claims poll at their interval.
//!
//! While claims wait, the listener checks its connection once each poll interval: it asks the server whether the session
//! still listens. An answer proves that all notifications sent before it have arrived.
//!
//! # Tasks and shared state
//!
//! The listener is one task with its own connection. It shares [`ListenerHealth`] with the claim task: the moment up to
//! which all notifications are confirmed to have arrived.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | another process, by a notification | the listener | it stored jobs, or made some ready |
//! | the claim task | the listener | a claim waits, and the listener is parked |
//! | the listener | the claim task | a notification of another process arrived, or some may have been missed |
//!
//! # Shutdown
//!
//! The listener runs until the I/O thread's main future ends with the queue's last handle. It is then dropped at its next
//! `await`.
//!
//! # Races
//!
//! - A job may be pushed between the first scan and the start of the listening, when its notification has no receiver. So the
//!   listener wakes the claim task once it listens.
//! - A notification may be lost with the connection. So the listener wakes the claim task when it loses the connection.
//! - A pooler may pass `LISTEN` on to one session and the check to another. The check's answer says whether its
//!   session has listened before.

use std::sync::Arc;
use std::time::Duration;

use queue_core::BoxError;
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row as _, raw_sql};
use tokio::time::{Instant, timeout};

use crate::connection::KEEPALIVES;
use crate::listener_health::ListenerHealth;
use crate::notification::Notification;
use crate::shared::Shared;

/// How long the listener waits for its probe, a notification to itself, before it concludes that none arrive.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that does not answer a check within this time is dead. Claims poll soon after the check was due.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The pauses between two tries to listen.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Keeps the server from ending a listening session as idle. PostgreSQL has this setting since version 14.
const NO_IDLE_TIMEOUT: &str = "select set_config('idle_session_timeout', '0', false) \
    where exists (select from pg_settings where name = 'idle_session_timeout')";

/// The task that receives notifications.
pub(crate) struct ListenTask {
    shared: Arc<Shared>,
    health: Arc<ListenerHealth>,
    poll_interval: Duration,
    /// Whether a warning has said that notifications don't arrive.
    has_warned: bool,
}

/// Why the listener lost its connection.
enum ListenEnd {
    /// The connection was closed, or notifications don't arrive.
    NotWorking(&'static str),
    /// The connection does not answer, but was not closed.
    Dead,
}

impl ListenTask {
    pub(crate) fn new(shared: Arc<Shared>, health: Arc<ListenerHealth>, poll_interval: Duration) -> Self {
        Self { shared, health, poll_interval, has_warned: false }
    }

    /// Listens from the first claim that waits until the runtime ends.
    pub(crate) async fn run(mut self) {
        if self.shared.target.behind_pooler {
            self.warn("a pooler in transaction mode passes no notifications on");
            return;
        }
        // A program that only pushes, or only inspects jobs, needs no notifications.
        self.health.wait_for_claim().await;
        let mut pause = FIRST_PAUSE;
        loop {
            let end = self.listen(&mut pause).await;
            self.health.mark_lost();
            match end {
                Ok(ListenEnd::NotWorking(why)) => self.warn(why),
                // If there is more to warn of, the next try does.
                Ok(ListenEnd::Dead) => self.shared.target.dead_connection_warning.warn(&self.shared.target),
                Err(error) => self.warn(&error.to_string()),
            }
            // Notifications may have been missed.
            self.shared.wake();
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn listen(&mut self, pause: &mut Duration) -> Result<ListenEnd, BoxError> {
        let mut listener = self.connect().await?;
        let channel = self.shared.target.channel();
        match timeout(self.shared.target.timeout, listener.listen(&channel)).await {
            Ok(listens) => listens?,
            Err(_) => return Ok(ListenEnd::Dead),
        }
        let sent = Instant::now();
        if let Some(end) = self.probe(&mut listener, pause).await? {
            return Ok(end);
        }
        *pause = FIRST_PAUSE;
        if std::mem::take(&mut self.has_warned) {
            tracing::info!(database = %self.shared.target, "LISTEN/NOTIFY is working again");
        }
        self.health.confirm_until(sent);
        // Notifications before `LISTEN` were missed.
        self.shared.wake();
        self.receive(&mut listener, &channel).await
    }

    async fn connect(&self) -> Result<PgListener, BoxError> {
        let target = &self.shared.target;
        let options = PgPoolOptions::new().max_connections(1).acquire_timeout(target.timeout);
        let options = options.max_lifetime(None).idle_timeout(None).after_connect(|connection, _| {
            Box::pin(async move {
                let setup = format!("{NO_IDLE_TIMEOUT}; {KEEPALIVES}");
                raw_sql(AssertSqlSafe(setup)).execute(connection).await.map(drop)
            })
        });
        let pool = options.connect_with(target.connect_options().await?).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        Ok(listener)
    }

    /// Sends a notification to itself, which shows that notifications arrive at all. Returns why they don't. Sets `pause`
    /// if a quick retry is useless.
    async fn probe(
        &self,
        listener: &mut PgListener,
        pause: &mut Duration,
    ) -> Result<Option<ListenEnd>, BoxError> {
        let probe = Notification::Probe(self.shared.notifier.sender_id());
        if self.shared.notifier.send(probe).await.is_err() {
            return Ok(Some(ListenEnd::NotWorking("the connection broke")));
        }
        let arrived = async {
            loop {
                match listener.try_recv().await? {
                    Some(received) if Notification::parse(received.payload()) == probe => {
                        return Ok::<_, sqlx::Error>(true);
                    }
                    Some(_) => self.shared.wake(),
                    None => return Ok(false),
                }
            }
        };
        Ok(match timeout(PROBE_TIMEOUT, arrived).await {
            Ok(Ok(true)) => None,
            Ok(Ok(false)) => Some(ListenEnd::NotWorking("the connection broke")),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {
                // The network path to the server won't change soon.
                *pause = MAX_PAUSE;
                Some(ListenEnd::NotWorking(
                    "notifications don't arrive, as with a pooler in transaction mode",
                ))
            }
        })
    }

    /// Wakes the claim task for each notification of another process, until the connection is lost.
    async fn receive(&self, listener: &mut PgListener, channel: &str) -> Result<ListenEnd, BoxError> {
        let own = Notification::Jobs(self.shared.notifier.sender_id());
        let check = check_sql(channel);
        let mut idle = 0;
        loop {
            let received = tokio::select! {
                biased;
                received = listener.try_recv() => received?,
                () = self.health.next_check(&mut idle) => {
                    if let Some(end) = self.check(listener, &check).await? {
                        return Ok(end);
                    }
                    continue;
                }
            };
            let Some(received) = received else {
                return Ok(ListenEnd::NotWorking("the connection broke"));
            };
            self.health.confirm_until(Instant::now());
            if Notification::parse(received.payload()) != own {
                self.shared.wake();
            }
        }
    }

    /// Sends a check. Returns why notifications don't arrive, if they don't.
    async fn check(&self, listener: &mut PgListener, check: &str) -> Result<Option<ListenEnd>, BoxError> {
        let sent = Instant::now();
        let answer = raw_sql(AssertSqlSafe(check.to_owned())).fetch_one(listener);
        match timeout(CHECK_TIMEOUT, answer).await {
            Ok(Ok(row)) if row.try_get(0)? => {
                self.health.confirm_until(sent);
                Ok(None)
            }
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(_)) => Ok(Some(ListenEnd::NotWorking("the session has changed, as with a pooler"))),
            Err(_) => Ok(Some(ListenEnd::Dead)),
        }
    }

    /// Warns that notifications don't arrive, once until they arrive again.
    fn warn(&mut self, why: &str) {
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                database = %self.shared.target, why, poll_interval = ?self.poll_interval,
                "LISTEN/NOTIFY is not working: polling every `poll_interval` for jobs of other processes"
            );
        }
    }
}

/// Returns the SQL of a check, which returns whether the session listens.
fn check_sql(channel: &str) -> String {
    // `pg_listening_channels` shows a `LISTEN` only after its transaction, so the answer says whether the session has
    // listened before.
    format!(
        "LISTEN \"{}\"; select exists (select from pg_listening_channels() c where c = '{}')",
        channel.replace('"', "\"\""),
        channel.replace('\'', "''")
    )
}
