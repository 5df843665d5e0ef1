//! The task for pushes that another transaction blocks: usually a job with a unique key that an application has pushed in
//! a transaction that is still open.
//!
//! The task tries each push alone and repeatedly, until it is stored or has waited for the queue's timeout. It tries
//! pushes of one key in the order of arrival. See [the push tasks](super) for who wakes whom and for the shutdown.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use queue_core::{JobName, QueueError};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout};

use super::connection::PushConnection;
use crate::locked_keys::key_of;
use crate::requests::PushRequest;
use crate::shared::Shared;

/// How long the task waits between two rounds of tries.
const PAUSE: Duration = Duration::from_millis(25);

/// Stores pushes one by one over its own connection.
pub(crate) struct BlockedPushTask {
    requests: UnboundedReceiver<PushRequest>,
    connection: PushConnection,
    waiting: Vec<BlockedPush>,
}

struct BlockedPush {
    request: PushRequest,
    deadline: Instant,
}

impl BlockedPushTask {
    pub(crate) fn new(requests: UnboundedReceiver<PushRequest>, shared: Arc<Shared>) -> Self {
        Self { requests, connection: PushConnection::new(shared), waiting: Vec::new() }
    }

    /// Runs until all senders of requests are dropped and no push waits.
    pub(crate) async fn run(mut self) {
        loop {
            let pause = if self.waiting.is_empty() { Duration::MAX } else { PAUSE };
            match timeout(pause, self.requests.recv()).await {
                Ok(Some(request)) => self.accept(request),
                Ok(None) if self.waiting.is_empty() => return,
                // All senders are dropped. The waiting pushes are tried until their time is over.
                Ok(None) => tokio::time::sleep(PAUSE).await,
                Err(_) => {}
            }
            while let Ok(request) = self.requests.try_recv() {
                self.accept(request);
            }
            self.try_all().await;
        }
    }

    fn accept(&mut self, request: PushRequest) {
        let now = Instant::now();
        let deadline = now
            .checked_add(self.connection.shared.target.timeout)
            .unwrap_or(now + Duration::from_secs(1 << 30));
        self.waiting.push(BlockedPush { request, deadline });
    }

    async fn try_all(&mut self) {
        // The keys found locked in this round, for which no other push is tried in it.
        let mut locked: HashSet<(JobName, String)> = HashSet::new();
        for BlockedPush { request, deadline } in std::mem::take(&mut self.waiting) {
            if request.reply.is_closed() {
                continue;
            }
            let keys: HashSet<_> = request.jobs.iter().filter_map(key_of).collect();
            let still_blocked =
                if keys.is_disjoint(&locked) { self.try_one(request).await } else { Some(request) };
            let Some(request) = still_blocked else { continue };
            if keys.len() == 1 {
                locked.extend(keys);
            }
            if Instant::now() < deadline {
                self.waiting.push(BlockedPush { request, deadline });
            } else {
                request.answer(Err(self.blocked_for_too_long()));
            }
        }
    }

    /// Stores a push and answers it. Returns the push if another transaction still blocks it.
    async fn try_one(&mut self, request: PushRequest) -> Option<PushRequest> {
        let Some(answer) = self.connection.store_one(&request).await else { return Some(request) };
        request.answer(answer);
        None
    }

    fn blocked_for_too_long(&self) -> QueueError {
        let target = &self.connection.shared.target;
        QueueError::unavailable(format!(
            "another transaction on {target} has held a unique key or a lock that this push needs for {:?}: commit or \
             roll back that transaction",
            target.timeout
        ))
    }
}
