//! The server, as all who talk to it know it: its place, the statements, the numbers of the queues, and who was told.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use queue_core::encoded::Encoded;
use queue_core::{QueueError, QueueName};
use sqlx::Row as _;
use tokio::sync::mpsc::WeakUnboundedSender;
use tokio::time::Instant;

use crate::batch::Lines;
use crate::claiming::Message;
use crate::link::Link;
use crate::place::Place;
use crate::sql::Sql;

/// How often the other processes are told of new jobs at most: such commits wait for one another in the server.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct Server {
    pub(crate) place: Arc<Place>,
    pub(crate) sql: Sql,
    /// For what seldom happens: operators, numbers of queues, late notifications.
    pub(crate) desk: tokio::sync::Mutex<Link>,
    lines: RwLock<Arc<Lines>>,
    /// Tells this process's notifications from those of others.
    word: String,
    notified: Mutex<Notified>,
    /// To wake the claims that wait in this process. It's weak, so that the lanes end with the queue's last handle.
    claims: WeakUnboundedSender<Message>,
}

#[derive(Default)]
struct Notified {
    last: Option<Instant>,
    is_one_due: bool,
}

/// What a statement is given that is to notify: the channel and the word, or nothing.
pub(crate) type Notice = (Option<String>, Option<String>);

impl Server {
    pub(crate) fn new(place: Place, claims: WeakUnboundedSender<Message>) -> Self {
        let place = Arc::new(place);
        Self {
            sql: Sql::new(&place),
            desk: tokio::sync::Mutex::new(Link::new(place.clone())),
            place,
            lines: RwLock::default(),
            word: uuid::Uuid::now_v7().simple().to_string(),
            notified: Mutex::default(),
            claims,
        }
    }

    pub(crate) fn word(&self) -> &str {
        &self.word
    }

    /// Has the claims that wait in this process look for jobs.
    pub(crate) fn wake(&self) {
        if let Some(claims) = self.claims.upgrade() {
            // A lane that has ended serves nobody.
            drop(claims.send(Message::Wake));
        }
    }

    /// Gives the numbers of the queues that these jobs go to, unless some of them are new.
    pub(crate) fn known_lines<'a>(&self, mut jobs: impl Iterator<Item = &'a Encoded>) -> Option<Arc<Lines>> {
        let known = self.lines.read().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.all(|job| known.contains_key(&job.job.queue)).then_some(known)
    }

    /// Gives the numbers of the queues that these jobs go to; queues that are new are entered first.
    pub(crate) async fn lines(
        &self,
        link: &mut Link,
        jobs: impl Iterator<Item = &Encoded>,
    ) -> Result<Arc<Lines>, QueueError> {
        let known = self.lines.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut new: Vec<String> = Vec::new();
        for job in jobs {
            let queue = &job.job.queue;
            if !known.contains_key(queue) && !new.iter().any(|name| name == queue.as_str()) {
                new.push(queue.as_str().to_owned());
            }
        }
        if new.is_empty() {
            return Ok(known);
        }
        let rows = link
            .call(&|connection| {
                let query = self.sql.enter.query().bind(new.clone());
                Box::pin(query.fetch_all(connection))
            })
            .await?;
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        let mut more = Lines::clone(&lines);
        for row in rows {
            let read = row.try_get(0).and_then(|line| Ok((row.try_get::<String, _>(1)?, line)));
            let (name, line) = read.map_err(|error| crate::error::explained(error, &self.place))?;
            more.insert(QueueName::from(name), line);
        }
        *lines = Arc::new(more);
        Ok(lines.clone())
    }

    /// Gives a statement the notification that it's to send at its commit, unless one was sent just now; then
    /// [`notified_late`](Self::notified_late) follows.
    pub(crate) fn notice(&self) -> Notice {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if notified.last.is_some_and(|last| last.elapsed() < NOTIFY_INTERVAL) {
            return (None, None);
        }
        notified.last = Some(Instant::now());
        (Some(self.place.channel()), Some(self.word.clone()))
    }

    /// Sends, in a while and once for all, the notification of what was committed without one.
    pub(crate) fn notified_late(self: &Arc<Self>) {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut notified.is_one_due, true) {
            return;
        }
        let server = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(NOTIFY_INTERVAL).await;
            let now = Instant::now();
            {
                let mut notified = server.notified.lock().unwrap_or_else(PoisonError::into_inner);
                *notified = Notified { last: Some(now), is_one_due: false };
            }
            // If it can't be sent, others find the jobs when they next look.
            drop(server.notify(&server.word).await);
        });
    }

    /// Sends a notification.
    pub(crate) async fn notify(&self, word: &str) -> Result<(), QueueError> {
        let channel = self.place.channel();
        let mut desk = self.desk.lock().await;
        desk.call(&|connection| {
            let query = self.sql.notify.query().bind(channel.clone()).bind(word.to_owned());
            Box::pin(async move { query.execute(connection).await.map(drop) })
        })
        .await
    }
}
