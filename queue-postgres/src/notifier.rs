//! Sends notifications, at most one per [`NOTIFY_INTERVAL`], and none for a while after the server had no room for one.
//!
//! # Tasks and shared state
//!
//! The push and settle tasks, direct pushes and operators' calls share when a notification was last sent or refused, behind a mutex that
//! is never held across an `await`. The connection is behind an asynchronous mutex, which is held for one call.
//!
//! The late notification is a task of its own on the queue's thread, which any thread may spawn. It ends after
//! [`NOTIFY_INTERVAL`] and one call, or with the thread.
//!
//! # Races
//!
//! A commit within [`NOTIFY_INTERVAL`] of the last notification sends none, and asks for a late one. If a late one is
//! already due, it covers this commit too, since it is sent later. The flag that one is due is cleared before it is sent,
//! so a commit during the sending asks for another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::QueueError;
use tokio::time::Instant;

use crate::connection::ReconnectingConnection;
use crate::error::is_notification_queue_full;
use crate::notification::{Notification, NotifyArgs};
use crate::runtime_thread::RuntimeThread;
use crate::sql::Statement;
use crate::target::Target;

/// The least time between two notifications of this process: commits that notify wait for one another in the server.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(20);

/// How long no notification is sent after the server had no room for one.
const MUTE_DURATION: Duration = Duration::from_secs(10);

/// Sends the notifications of one queue handle and its clones.
pub(crate) struct Notifier {
    target: Arc<Target>,
    /// Runs the late notifications.
    thread: RuntimeThread,
    statement: Statement,
    /// Identifies the notifications of this queue.
    sender_id: String,
    /// A connection for notifications alone, which must not wait for an operator's statement that waits for a lock.
    connection: tokio::sync::Mutex<ReconnectingConnection>,
    sent: Mutex<Sent>,
}

/// When notifications were sent.
#[derive(Default)]
struct Sent {
    last: Option<Instant>,
    is_one_due: bool,
    /// When the server last had no room for a notification.
    refused: Option<Instant>,
}

impl Sent {
    fn is_muted(&self) -> bool {
        self.refused.is_some_and(|refused| refused.elapsed() < MUTE_DURATION)
    }
}

impl Notifier {
    /// Creates a notifier that sends by `statement` over `connection`, late notifications from `thread`.
    pub(crate) fn new(
        target: Arc<Target>,
        statement: Statement,
        thread: RuntimeThread,
        connection: ReconnectingConnection,
    ) -> Self {
        Self {
            connection: tokio::sync::Mutex::new(connection),
            target,
            thread,
            statement,
            sender_id: uuid::Uuid::now_v7().simple().to_string(),
            sent: Mutex::default(),
        }
    }

    pub(crate) fn sender_id(&self) -> &str {
        &self.sender_id
    }

    /// Returns the notification of jobs that a statement sends at its commit. Returns none if one was sent just now; the
    /// caller then calls [`notify_later`](Self::notify_later) after the commit.
    pub(crate) fn jobs_unless_recent(&self) -> NotifyArgs {
        let mut sent = self.lock();
        if sent.is_muted() || sent.last.is_some_and(|last| last.elapsed() < NOTIFY_INTERVAL) {
            return NotifyArgs::none();
        }
        sent.last = Some(Instant::now());
        drop(sent);
        self.jobs()
    }

    /// Returns the notification of jobs that a statement sends at its commit.
    pub(crate) fn jobs(&self) -> NotifyArgs {
        NotifyArgs::new(self.target.channel(), Notification::Jobs(&self.sender_id))
    }

    /// Returns the notification that a push in an application's transaction sends at the commit.
    pub(crate) fn transaction_jobs(&self) -> NotifyArgs {
        NotifyArgs::new(self.target.channel(), Notification::TransactionJobs(&self.sender_id))
    }

    /// Records that the server has no room for notifications, and sends none for a while, so that they fail no statement.
    pub(crate) fn mute(&self) {
        if self.lock().refused.replace(Instant::now()).is_none() {
            tracing::warn!(
                database = %self.target,
                "the server has no room for notifications: polling for jobs of other processes at the poll interval; \
                 check `pg_notification_queue_usage()` and end sessions that listen and are idle in a transaction"
            );
        }
    }

    /// Sends a notification after [`NOTIFY_INTERVAL`], one for all commits until then that sent none.
    pub(crate) fn notify_later(self: &Arc<Self>) {
        let mut sent = self.lock();
        if sent.is_muted() || std::mem::replace(&mut sent.is_one_due, true) {
            return;
        }
        let notifier = self.clone();
        self.thread.spawn(async move {
            tokio::time::sleep(NOTIFY_INTERVAL).await;
            {
                let mut sent = notifier.lock();
                *sent = Sent { last: Some(Instant::now()), is_one_due: false, refused: sent.refused };
            }
            // If it can't be sent, other processes find the jobs at their next poll.
            let sent = notifier.send(Notification::Jobs(notifier.sender_id())).await;
            if sent.is_err_and(|error| is_notification_queue_full(&error)) {
                notifier.mute();
            }
        });
    }

    /// Sends a notification now.
    pub(crate) async fn send(&self, notification: Notification<'_>) -> Result<(), QueueError> {
        let (channel, payload) = (self.target.channel(), notification.to_string());
        let mut connection = self.connection.lock().await;
        connection
            .call_idempotent(&|connection| {
                let query = self.statement.query().bind(channel.clone()).bind(payload.clone());
                Box::pin(async move { query.execute(connection).await.map(drop) })
            })
            .await
            .map_err(QueueError::from)
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
