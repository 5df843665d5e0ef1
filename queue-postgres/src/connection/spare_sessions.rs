//! Idle sessions that no connection holds.
//!
//! The open of a queue leaves its session here, and the first call takes it.
//!
//! In a queue with a clock for tests, the connections share their sessions: each leaves its session here after each call. A test
//! makes one call after the other, so one session serves all of them, and its server process loads the catalog and compiles the
//! functions once. Two simultaneous calls have a session each.
//!
//! # Shared state
//!
//! The sessions are behind a mutex that is never held across an `await`. All of them were opened on the queue's thread, and only
//! connections of that thread use them: a socket belongs to the runtime that has opened it.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | a call that ends | a call that waits for a session | the sessions are shared |

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::session::Session;

/// How long a call waits for a shared session before another one is opened. Opening one takes about a fifth of it.
const WAIT: Duration = Duration::from_millis(50);

/// Sessions that any connection of the queue's thread may take.
#[derive(Default)]
pub(crate) struct SpareSessions {
    are_shared: bool,
    idle: Mutex<Vec<Session>>,
    left: Notify,
}

impl SpareSessions {
    /// Creates the sessions of a queue. If they are shared, connections leave theirs here after each call.
    pub(crate) fn new(are_shared: bool) -> Self {
        Self { are_shared, ..Self::default() }
    }

    /// Leaves a session to the next call.
    pub(crate) fn leave(&self, session: Session) {
        self.idle().push(session);
        self.left.notify_one();
    }

    /// Leaves a session if the sessions are shared, and returns it otherwise.
    pub(super) fn leave_if_shared(&self, session: Session) -> Option<Session> {
        if !self.are_shared {
            return Some(session);
        }
        self.leave(session);
        None
    }

    /// Takes the session that was used last. If the sessions are shared, waits up to [`WAIT`] for one.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(super) async fn take(&self) -> Option<Session> {
        let idle = self.idle().pop();
        if idle.is_some() || !self.are_shared {
            return idle;
        }
        let wait = async {
            loop {
                self.left.notified().await;
                if let Some(session) = self.idle().pop() {
                    return session;
                }
            }
        };
        timeout(WAIT, wait).await.ok()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
