//! The listener: receives the notifications of other processes, so that claims need not poll often.
//!
//! **Invariant:** notifications only save time. If the listener fails in any way, claims poll at their interval.
//!
//! A heartbeat judges the connection: while claims wait, the listener asks the server once each poll interval whether the
//! session still listens. An answer proves that all notifications sent before it have arrived.
//!
//! # Tasks and shared state
//!
//! The listener is one task with its own connection. It shares [`Hearing`] with the claim task: the moment up to which
//! all notifications were heard.
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
//! - A job may be pushed between a scan and the start of the listening, when its notification has no receiver. So the
//!   listener wakes the claim task once it listens.
//! - A notification may be lost with the connection. So the listener wakes the claim task when it loses the connection.
//! - A pooler may pass `LISTEN` on to one session and the heartbeat to another. The heartbeat's answer says whether its
//!   session has listened before.

use std::sync::Arc;
use std::time::Duration;

use queue_core::BoxError;
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row as _, raw_sql};
use tokio::time::{Instant, timeout};

use crate::hearing::Hearing;
use crate::link::KEEPALIVES;
use crate::server::Server;

/// How long the listener waits for its probe, a notification to itself, before it concludes that none arrive.
const OWN: Duration = Duration::from_secs(5);

/// A connection that does not answer a heartbeat within this time is dead. Claims poll soon after the heartbeat was due.
const SILENCE: Duration = Duration::from_secs(2);

/// The pauses between two tries to listen.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keeps the server from ending a listening session as idle. PostgreSQL has this setting since version 14.
const NEVER_IDLE: &str = "select set_config('idle_session_timeout', '0', false) \
    where exists (select from pg_settings where name = 'idle_session_timeout')";

pub(crate) struct Listening {
    server: Arc<Server>,
    hearing: Arc<Hearing>,
    poll_interval: Duration,
    /// Whether a warning has said that notifications don't arrive.
    has_warned: bool,
}

/// Why the listener lost its connection.
enum Ended {
    /// The connection was closed, or notifications don't arrive.
    Because(&'static str),
    /// The connection does not answer, but was not closed.
    Silent,
}

impl Listening {
    pub(crate) fn new(server: Arc<Server>, hearing: Arc<Hearing>, poll_interval: Duration) -> Self {
        Self { server, hearing, poll_interval, has_warned: false }
    }

    /// Listens until the runtime ends.
    pub(crate) async fn run(mut self) {
        if self.server.place.is_pooled {
            self.warn("a pooler in transaction mode passes no notifications on");
            return;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = self.listen(&mut pause).await;
            self.hearing.lose();
            match ended {
                Ok(Ended::Because(why)) => self.warn(why),
                // If there is more to warn of, the next try does.
                Ok(Ended::Silent) => self.server.place.alarm.raise(&self.server.place),
                Err(error) => self.warn(&error.to_string()),
            }
            // Notifications may have been missed.
            self.server.wake();
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn listen(&mut self, pause: &mut Duration) -> Result<Ended, BoxError> {
        let place = &self.server.place;
        let options = PgPoolOptions::new().max_connections(1).acquire_timeout(place.timeout);
        let options = options.max_lifetime(None).idle_timeout(None).after_connect(|connection, _| {
            Box::pin(async move {
                let begin = format!("{NEVER_IDLE}; {KEEPALIVES}");
                raw_sql(AssertSqlSafe(begin)).execute(connection).await.map(drop)
            })
        });
        let pool = options.connect_with(place.connect_options().await?).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        let channel = place.channel();
        match timeout(place.timeout, listener.listen(&channel)).await {
            Ok(listens) => listens?,
            Err(_) => return Ok(Ended::Silent),
        }
        // A notification to itself shows that notifications arrive at all. Its payload differs from that of pushes, which
        // the listener doesn't wait for.
        let own = format!("{}?", self.server.word());
        let asked = Instant::now();
        if self.server.notify(&own).await.is_err() {
            return Ok(Ended::Because("the connection broke"));
        }
        let heard = async {
            loop {
                match listener.try_recv().await? {
                    Some(word) if word.payload() == own => return Ok::<_, sqlx::Error>(true),
                    Some(_) => self.server.wake(),
                    None => return Ok::<_, sqlx::Error>(false),
                }
            }
        };
        match timeout(OWN, heard).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Ok(Ended::Because("the connection broke")),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {
                // A quick retry is useless: the network path to the server won't change.
                *pause = LONGEST_PAUSE;
                return Ok(Ended::Because(
                    "notifications don't arrive, as with a pooler in transaction mode",
                ));
            }
        }
        *pause = FIRST_PAUSE;
        if std::mem::take(&mut self.has_warned) {
            tracing::info!(place = %self.server.place, "LISTEN/NOTIFY is working again");
        }
        self.hearing.note(asked);
        // Notifications before `LISTEN` were missed.
        self.server.wake();
        self.hear(&mut listener, &channel).await
    }

    /// Wakes the claim task for each notification of another process, until the connection is lost.
    async fn hear(&self, listener: &mut PgListener, channel: &str) -> Result<Ended, BoxError> {
        // `pg_listening_channels` shows a `LISTEN` only after its transaction, so the answer says whether the session has
        // listened before.
        let ask = format!(
            "LISTEN \"{}\"; select exists (select from pg_listening_channels() c where c = '{}')",
            channel.replace('"', "\"\""),
            channel.replace('\'', "''")
        );
        let mut idle = 0;
        loop {
            let word = tokio::select! {
                biased;
                word = listener.try_recv() => word?,
                () = self.hearing.next_beat(&mut idle) => {
                    let asked = Instant::now();
                    let beat = raw_sql(AssertSqlSafe(ask.clone())).fetch_one(&mut *listener);
                    match timeout(SILENCE, beat).await {
                        Ok(Ok(row)) if row.try_get(0)? => self.hearing.note(asked),
                        Ok(Err(error)) => return Err(error.into()),
                        Ok(Ok(_)) => return Ok(Ended::Because("the session has changed, as with a pooler")),
                        Err(_) => return Ok(Ended::Silent),
                    }
                    continue;
                }
            };
            match word {
                Some(word) => {
                    self.hearing.note(Instant::now());
                    if word.payload() != self.server.word() {
                        self.server.wake();
                    }
                }
                None => return Ok(Ended::Because("the connection broke")),
            }
        }
    }

    /// Warns that notifications don't arrive, once until they arrive again.
    fn warn(&mut self, why: &str) {
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                place = %self.server.place, why, poll_interval = ?self.poll_interval,
                "LISTEN/NOTIFY is not working: polling every `poll_interval` for jobs of other processes"
            );
        }
    }
}
