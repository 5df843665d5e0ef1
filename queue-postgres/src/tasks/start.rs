//! Starts the tasks that serve calls, on a thread of their own.

use std::sync::Arc;

use futures_util::future::join_all;
use queue_core::QueueError;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::claim::{ClaimTask, PollInterval};
use super::push::{BlockedPushTask, PushTask, Pusher};
use super::settle::{BlockedSettleTask, SettleTask};
use crate::connection::SpareSessions;
use crate::requests::{ClaimMessage, SettleRequest};
use crate::runtime_thread::{RuntimeThread, UnstartedThread};
use crate::shared::Shared;
use crate::target::Target;

/// The number of push tasks: while one waits for its commit, the other collects the next batch.
const PUSH_TASKS: usize = 2;

/// The senders to the tasks. The tasks end when the senders are dropped, after they have answered all requests sent before.
pub(crate) struct Tasks {
    pub(crate) pushes: Pusher,
    pub(crate) claims: UnboundedSender<ClaimMessage>,
    pub(crate) settles: UnboundedSender<SettleRequest>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) thread: RuntimeThread,
}

impl Tasks {
    /// Starts the thread and its tasks.
    pub(crate) fn start(
        target: Target,
        spare_sessions: SpareSessions,
        poll: PollInterval,
    ) -> Result<Self, QueueError> {
        let (to_push_tasks, push_requests) = unbounded_channel();
        let (claims, claim_messages) = unbounded_channel();
        let (settles, settle_requests) = unbounded_channel();
        let (to_blocked_pushes, blocked_pushes) = unbounded_channel();
        let (to_blocked_settles, blocked_settles) = unbounded_channel();
        let unstarted = UnstartedThread::new()?;
        let thread = unstarted.handle();
        let shared = Arc::new(Shared::new(target, spare_sessions, claims.downgrade(), thread.clone()));
        let releases = settles.downgrade();
        let main = {
            let shared = shared.clone();
            move || async move {
                let push_requests = Arc::new(Mutex::new(push_requests));
                let push =
                    || PushTask::new(push_requests.clone(), to_blocked_pushes.clone(), shared.clone()).run();
                let pushes: Vec<_> = (0..PUSH_TASKS).map(|_| push()).collect();
                drop(to_blocked_pushes);
                let blocked_pushes = BlockedPushTask::new(blocked_pushes, shared.clone()).run();
                let claims = ClaimTask::new(claim_messages, releases, shared.clone(), poll).run();
                let settles = SettleTask::new(settle_requests, to_blocked_settles, shared.clone()).run();
                let blocked_settles = BlockedSettleTask::new(blocked_settles, shared.clone()).run();
                tokio::join!(join_all(pushes), blocked_pushes, claims, settles, blocked_settles);
            }
        };
        unstarted.start(main)?;
        let pushes = Pusher::new(to_push_tasks, shared.clone());
        Ok(Self { pushes, claims, settles, shared, thread })
    }
}
