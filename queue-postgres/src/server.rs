//! What the tasks share: where the server is, the statements, the queues known to exist, and when notifications were
//! sent.
//!
//! # Shared state
//!
//! | state | used by |
//! | --- | --- |
//! | the queues known to exist | the push and settle tasks, pushes in an application's transaction, units of work |
//! | the unique keys found locked ([`BlockedKeys`]) | the push and settle tasks |
//! | when a notification was last sent or refused | the push and settle tasks, operators' calls |
//! | the connection for operators | operators' calls, new queues of a push in an application's transaction |
//! | the connection for notifications | the late notification, the listener's probe, operators' calls |
//!
//! The two connections are behind asynchronous mutexes, which are held for one call. No other lock is held across an
//! `await`.
//!
//! # Who wakes whom
//!
//! Any task wakes the claim task of this queue by [`wake`](Server::wake), and those of other processes by a `NOTIFY`,
//! sent in the statement's own transaction or by [`notified_late`](Server::notified_late). A listener ignores the word of
//! its own queue, and wakes its claim task for every other payload:
//!
//! | payload | sent by | wakes the sender's own claim task |
//! | --- | --- | --- |
//! | the word | a push, a settlement, a unit of work, an operator's call | no: the sender calls `wake` |
//! | the word and `+` | a push in an application's transaction | yes: the sender does not see the commit |
//! | the word and `?` | the listener, to itself | no: the listener only checks that the probe arrives |
//!
//! # Shutdown
//!
//! The late notification is a task of its own. It ends after [`NOTIFY_INTERVAL`] and one call, or with the runtime.
//!
//! # Races
//!
//! A commit within [`NOTIFY_INTERVAL`] of the last notification sends none, and asks for a late one. If a late one is
//! already due, it covers this commit too, since it is sent later. The flag that one is due is cleared before it is sent,
//! so a commit during the sending asks for another.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use queue_core::backend::Encoded;
use queue_core::{QueueError, QueueName};
use tokio::sync::mpsc::WeakUnboundedSender;
use tokio::time::Instant;

use crate::blocked::BlockedKeys;
use crate::claiming::Message;
use crate::error::is_notification_refused;
use crate::link::{Link, Unanswered};
use crate::place::Place;
use crate::sql::Sql;

/// The least time between two notifications of this process: commits that notify wait for one another in the server.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct Server {
    pub(crate) place: Arc<Place>,
    pub(crate) sql: Sql,
    /// The connection for rare calls: operators' calls, and new queues of a push in an application's transaction.
    pub(crate) desk: tokio::sync::Mutex<Link>,
    /// The unique keys that other transactions hold locked.
    pub(crate) blocked: BlockedKeys,
    /// The queues that this process knows to exist. The server may lose them, and its answer is decisive.
    queues: RwLock<HashSet<QueueName>>,
    /// The connection for notifications, which must not wait for an operator's statement that waits for a lock.
    bell: tokio::sync::Mutex<Link>,
    /// Identifies the notifications of this queue.
    word: String,
    notified: Mutex<Notified>,
    /// Wakes the claim task of this queue. It is weak, so that the tasks end with the queue's last handle.
    claims: WeakUnboundedSender<Message>,
}

/// How long no notification is sent after the server had no room for one.
const MUTED: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Notified {
    last: Option<Instant>,
    is_one_due: bool,
    /// When the server last had no room for a notification.
    refused: Option<Instant>,
}

impl Notified {
    fn is_muted(&self) -> bool {
        self.refused.is_some_and(|refused| refused.elapsed() < MUTED)
    }
}

/// The channel and payload with which a statement notifies, or nothing.
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

    /// Wakes the claim task of this queue.
    pub(crate) fn wake(&self) {
        if let Some(claims) = self.claims.upgrade() {
            // A claim task that has ended has no waiting claims.
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

    /// Creates the queues that don't exist, in a separate transaction: other processes that create them don't wait for
    /// the transaction that stores the jobs.
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

    /// Forgets which queues exist. The server has lost one of them: its tables were emptied, restored or created again.
    pub(crate) fn forget_queues(&self) {
        self.queues.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the notification that a statement sends at its commit. Returns none if one was sent just now; the caller
    /// then calls [`notified_late`](Self::notified_late) after the commit.
    pub(crate) fn notice(&self) -> Notice {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if notified.is_muted() || notified.last.is_some_and(|last| last.elapsed() < NOTIFY_INTERVAL) {
            return (None, None);
        }
        notified.last = Some(Instant::now());
        (Some(self.place.channel()), Some(self.word.clone()))
    }

    /// Records that the server has no room for notifications, and sends none for a while, so that they fail no statement.
    pub(crate) fn note_refused(&self) {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if notified.refused.replace(Instant::now()).is_none() {
            tracing::warn!(
                place = %self.place,
                "the server has no room for notifications: polling for jobs of other processes at the poll interval; \
                 check `pg_notification_queue_usage()` and end sessions that listen and are idle in a transaction"
            );
        }
    }

    /// Sends a notification after [`NOTIFY_INTERVAL`], one for all commits until then that sent none.
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
            // If it can't be sent, other processes find the jobs at their next poll.
            if server.notify(&server.word).await.is_err_and(|error| is_notification_refused(&error)) {
                server.note_refused();
            }
        });
    }

    /// Sends a notification with this payload.
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
