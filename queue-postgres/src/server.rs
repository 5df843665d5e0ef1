//! What the lanes share about the server: its place, the statements, the queues that exist, and the notifications sent.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use queue_core::encoded::Encoded;
use queue_core::{QueueError, QueueName};
use tokio::sync::mpsc::WeakUnboundedSender;
use tokio::time::Instant;

use crate::blocked::BlockedKeys;
use crate::claiming::Message;
use crate::error::is_notification_refused;
use crate::link::{Link, Unanswered};
use crate::place::Place;
use crate::sql::Sql;

/// How often the other processes are told of new jobs at most: such commits wait for one another in the server.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct Server {
    pub(crate) place: Arc<Place>,
    pub(crate) sql: Sql,
    /// For what seldom happens: operators, new queues.
    pub(crate) desk: tokio::sync::Mutex<Link>,
    /// The unique keys that other transactions hold locked.
    pub(crate) blocked: BlockedKeys,
    /// The queues that this process knows to exist. The server may lose them: its answer is what counts.
    queues: RwLock<HashSet<QueueName>>,
    /// For notifications, which must not wait for an operator's statement that waits for a lock.
    bell: tokio::sync::Mutex<Link>,
    /// Tells this process's notifications from those of others.
    word: String,
    notified: Mutex<Notified>,
    /// To wake the claims that wait in this process. It's weak, so that the lanes end with the queue's last handle.
    claims: WeakUnboundedSender<Message>,
}

/// How long nothing is sent after the server had no room for a notification.
const MUTED: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Notified {
    last: Option<Instant>,
    is_one_due: bool,
    /// When the server last had no room for one.
    refused: Option<Instant>,
}

impl Notified {
    fn is_muted(&self) -> bool {
        self.refused.is_some_and(|refused| refused.elapsed() < MUTED)
    }
}

/// What a statement is given that is to notify: the channel and the word, or nothing.
pub(crate) type Notice = (Option<String>, Option<String>);

impl Server {
    pub(crate) fn new(place: Place, claims: WeakUnboundedSender<Message>) -> Self {
        let place = Arc::new(place);
        Self {
            sql: Sql::new(&place),
            desk: tokio::sync::Mutex::new(Link::impatient(place.clone())),
            bell: tokio::sync::Mutex::new(Link::new(place.clone())),
            place,
            blocked: BlockedKeys::default(),
            queues: RwLock::default(),
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

    /// Returns the queues of these jobs that this process doesn't know to exist.
    pub(crate) fn unknown_queues<'a>(&self, jobs: impl Iterator<Item = &'a Encoded>) -> Vec<String> {
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let mut unknown: Vec<String> = Vec::new();
        for job in jobs {
            let queue = &job.job.queue;
            if !known.contains(queue) && !unknown.iter().any(|name| name == queue.as_str()) {
                unknown.push(queue.as_str().to_owned());
            }
        }
        unknown
    }

    /// Creates queues that don't exist, in a transaction of their own: no other process waits for the one that stores jobs.
    pub(crate) async fn ensure_queues(&self, link: &mut Link, queues: Vec<String>) -> Result<(), Unanswered> {
        if queues.is_empty() {
            return Ok(());
        }
        let names = &queues;
        link.try_call(&move |connection| {
            let query = self.sql.ensure_queues.query().bind(names.clone());
            Box::pin(async move { query.execute(connection).await.map(drop) })
        })
        .await?;
        self.queues
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(queues.into_iter().map(QueueName::from));
        Ok(())
    }

    /// Forgets which queues exist. The server has lost one: its tables were emptied, restored or made anew.
    pub(crate) fn forget_queues(&self) {
        self.queues.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives a statement the notification that it's to send at its commit, unless one was sent just now; then
    /// [`notified_late`](Self::notified_late) follows.
    pub(crate) fn notice(&self) -> Notice {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if notified.is_muted() || notified.last.is_some_and(|last| last.elapsed() < NOTIFY_INTERVAL) {
            return (None, None);
        }
        notified.last = Some(Instant::now());
        (Some(self.place.channel()), Some(self.word.clone()))
    }

    /// Notes that the server has no room for notifications, and sends none for a while: a statement must not fail by them.
    pub(crate) fn note_refused(&self) {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if notified.refused.replace(Instant::now()).is_none() {
            tracing::warn!(
                place = %self.place,
                "the server has no room for notifications: jobs of other processes are looked for at the poll interval; \
                 see `pg_notification_queue_usage()` and end sessions that listen and are idle in a transaction"
            );
        }
    }

    /// Sends, in a while and once for all, the notification of what was committed without one.
    pub(crate) fn notified_late(self: &Arc<Self>) {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if notified.is_muted() || std::mem::replace(&mut notified.is_one_due, true) {
            return;
        }
        let server = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(NOTIFY_INTERVAL).await;
            let now = Instant::now();
            {
                let mut notified = server.notified.lock().unwrap_or_else(PoisonError::into_inner);
                *notified = Notified { last: Some(now), is_one_due: false, refused: notified.refused };
            }
            // If it can't be sent, others find the jobs when they next look.
            if server.notify(&server.word).await.is_err_and(|error| is_notification_refused(&error)) {
                server.note_refused();
            }
        });
    }

    /// Sends a notification.
    pub(crate) async fn notify(&self, word: &str) -> Result<(), QueueError> {
        let channel = self.place.channel();
        let mut bell = self.bell.lock().await;
        bell.call_again(&|connection| {
            let query = self.sql.notify.query().bind(channel.clone()).bind(word.to_owned());
            Box::pin(async move { query.execute(connection).await.map(drop) })
        })
        .await
        .map_err(QueueError::from)
    }
}
