//! Hears of what other processes push, and so saves looking for it.
//!
//! **Invariant:** it only speeds things up. Whatever becomes of it, claims look for jobs at their interval.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;

use crate::server::Server;

/// How long a notification of our own may take, before it's taken for lost on the way.
const OWN: Duration = Duration::from_secs(5);

/// How long it's waited before the next try to listen.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

pub(crate) struct Listening {
    server: Arc<Server>,
    is_listening: Arc<AtomicBool>,
    poll_interval: Duration,
    /// Whether it was said that notifications don't come.
    has_warned: bool,
}

impl Listening {
    pub(crate) fn new(server: Arc<Server>, is_listening: Arc<AtomicBool>, poll_interval: Duration) -> Self {
        Self { server, is_listening, poll_interval, has_warned: false }
    }

    /// Listens for as long as the program runs.
    pub(crate) async fn run(mut self) {
        if self.server.place.is_pooled {
            self.warn("a pooler in transaction mode passes none on");
            return;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match self.listen(&mut pause).await {
                Ok(why) => why.to_owned(),
                Err(error) => error.to_string(),
            };
            self.is_listening.store(false, Ordering::Relaxed);
            self.warn(&why);
            // What was pushed meanwhile was told to nobody.
            self.server.wake();
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn listen(&mut self, pause: &mut Duration) -> sqlx::Result<&'static str> {
        let place = &self.server.place;
        let options = PgPoolOptions::new().max_connections(1).acquire_timeout(place.timeout);
        let pool = options.connect_with(place.options.clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        let channel = place.channel();
        listener.listen(&channel).await?;
        // A word of our own shows that words come at all. It differs from that of pushes, which nobody waits for.
        let own = format!("{}?", self.server.word());
        if self.server.notify(&own).await.is_err() {
            return Ok("the connection broke");
        }
        let heard = async {
            loop {
                match listener.try_recv().await? {
                    Some(word) if word.payload() == own => return Ok(true),
                    Some(_) => self.server.wake(),
                    None => return sqlx::Result::Ok(false),
                }
            }
        };
        match timeout(OWN, heard).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Ok("the connection broke"),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                // It's of no use to try again soon: the way to the server won't change.
                *pause = LONGEST_PAUSE;
                return Ok("those that are sent don't arrive, as with a pooler in transaction mode");
            }
        }
        *pause = FIRST_PAUSE;
        if std::mem::take(&mut self.has_warned) {
            tracing::info!(place = %self.server.place, "notifications of new jobs are heard again");
        }
        self.is_listening.store(true, Ordering::Relaxed);
        // What was pushed before was told to nobody.
        self.server.wake();
        loop {
            match listener.try_recv().await? {
                Some(word) if word.payload() == self.server.word() => {}
                Some(_) => self.server.wake(),
                None => return Ok("the connection broke"),
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
