//! Hears of what other processes push, and so saves looking for it.
//!
//! **Invariant:** it only speeds things up. Whatever becomes of it, claims look for jobs at their interval.
//!
//! The connection is judged by its own heartbeat: while claims wait, it's asked once each poll interval whether it still
//! listens. An answer proves that all that was sent before has arrived.

use std::sync::Arc;
use std::time::Duration;

use queue_core::BoxError;
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row as _, raw_sql};
use tokio::time::{Instant, timeout};

use crate::hearing::Hearing;
use crate::link::KEEPALIVES;
use crate::server::Server;

/// How long a notification of our own may take, before it's taken for lost on the way.
const OWN: Duration = Duration::from_secs(5);

/// A connection that does not answer for this time is dead. Claims poll soon after the question.
const SILENCE: Duration = Duration::from_secs(2);

/// How long it's waited before the next try to listen.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A session that listens is in use, however rarely it says something. PostgreSQL has this setting since version 14.
const NEVER_IDLE: &str = "select set_config('idle_session_timeout', '0', false) \
    where exists (select from pg_settings where name = 'idle_session_timeout')";

pub(crate) struct Listening {
    server: Arc<Server>,
    hearing: Arc<Hearing>,
    poll_interval: Duration,
    /// Whether it was said that notifications don't come.
    has_warned: bool,
}

/// Why nothing is heard any more.
enum Ended {
    /// The connection was closed, or notifications don't arrive.
    Because(&'static str),
    /// The connection does not answer, and was not closed.
    Silent,
}

impl Listening {
    pub(crate) fn new(server: Arc<Server>, hearing: Arc<Hearing>, poll_interval: Duration) -> Self {
        Self { server, hearing, poll_interval, has_warned: false }
    }

    /// Listens for as long as the program runs.
    pub(crate) async fn run(mut self) {
        if self.server.place.is_pooled {
            self.warn("a pooler in transaction mode passes none on");
            return;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = self.listen(&mut pause).await;
            self.hearing.lose();
            match ended {
                Ok(Ended::Because(why)) => self.warn(why),
                // The next try says whether there is more to warn of.
                Ok(Ended::Silent) => self.server.place.alarm.raise(&self.server.place),
                Err(error) => self.warn(&error.to_string()),
            }
            // What was pushed meanwhile was told to nobody.
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
        // A word of our own shows that words come at all. It differs from that of pushes, which nobody waits for.
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
                // It's of no use to try again soon: the way to the server won't change.
                *pause = LONGEST_PAUSE;
                return Ok(Ended::Because(
                    "those that are sent don't arrive, as with a pooler in transaction mode",
                ));
            }
        }
        *pause = FIRST_PAUSE;
        if std::mem::take(&mut self.has_warned) {
            tracing::info!(place = %self.server.place, "notifications of new jobs are heard again");
        }
        self.hearing.note(asked);
        // What was pushed before was told to nobody.
        self.server.wake();
        self.hear(&mut listener, &channel).await
    }

    /// Wakes claims for each notification of others, for as long as they arrive.
    async fn hear(&self, listener: &mut PgListener, channel: &str) -> Result<Ended, BoxError> {
        // What a `LISTEN` changes is seen after its transaction, so this says whether the session has listened before.
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
                        Ok(Ok(_)) => return Ok(Ended::Because("the connection has become another, as with a pooler")),
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

    /// Says once that notifications don't come, until they have come again.
    fn warn(&mut self, why: &str) {
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                place = %self.server.place, why, poll_interval = ?self.poll_interval,
                "notifications of new jobs are not heard: jobs of other processes are looked for at the poll interval"
            );
        }
    }
}
