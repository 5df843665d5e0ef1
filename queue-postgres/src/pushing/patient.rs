//! The task for pushes that another transaction blocks: usually a job with a unique key that an application has pushed in
//! a transaction that is still open.
//!
//! The task tries each push alone and repeatedly, until it is stored or has waited for the queue's timeout. It tries
//! pushes of one key in the order of arrival. See [`pushing`](super) for who wakes whom and for the shutdown.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use queue_core::{JobName, QueueError};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout};

use super::{Pushed, Request, Storing, answer, fail, lost_queue, refuse};
use crate::blocked::key_of;
use crate::server::Server;

/// How long the task waits between two rounds of tries.
const PAUSE: Duration = Duration::from_millis(25);

/// Stores pushes one by one over its own connection.
pub(crate) struct Patient {
    requests: UnboundedReceiver<Request>,
    storing: Storing,
    waiting: Vec<Waiting>,
}

struct Waiting {
    request: Request,
    until: Instant,
}

impl Patient {
    pub(crate) fn new(requests: UnboundedReceiver<Request>, server: Arc<Server>) -> Self {
        Self { requests, storing: Storing::new(server), waiting: Vec::new() }
    }

    /// Runs until all senders of requests are dropped and no push waits.
    pub(crate) async fn run(mut self) {
        loop {
            let pause = if self.waiting.is_empty() { Duration::MAX } else { PAUSE };
            match timeout(pause, self.requests.recv()).await {
                Ok(Some(request)) => self.take_in(request),
                Ok(None) if self.waiting.is_empty() => return,
                // All senders are dropped. The waiting pushes are tried until their time is over.
                Ok(None) => tokio::time::sleep(PAUSE).await,
                Err(_) => {}
            }
            while let Ok(request) = self.requests.try_recv() {
                self.take_in(request);
            }
            self.try_all().await;
        }
    }

    fn take_in(&mut self, request: Request) {
        let now = Instant::now();
        let until =
            now.checked_add(self.storing.server.place.timeout).unwrap_or(now + Duration::from_secs(1 << 30));
        self.waiting.push(Waiting { request, until });
    }

    async fn try_all(&mut self) {
        // The keys found locked in this round, for which no other push is tried in it.
        let mut locked: HashSet<(JobName, String)> = HashSet::new();
        for Waiting { request, until } in std::mem::take(&mut self.waiting) {
            if request.reply.is_closed() {
                continue;
            }
            let keys: HashSet<_> = request.jobs.iter().filter_map(key_of).collect();
            let held_up = if keys.is_disjoint(&locked) { self.try_one(request).await } else { Some(request) };
            let Some(request) = held_up else { continue };
            if keys.len() == 1 {
                locked.extend(keys);
            }
            if Instant::now() < until {
                self.waiting.push(Waiting { request, until });
            } else {
                request.answer(Err(self.held_up()));
            }
        }
    }

    /// Stores a push and answers it. Returns the push if another transaction still blocks it.
    async fn try_one(&mut self, request: Request) -> Option<Request> {
        let blocked = self.storing.server.clone();
        let blocked = &blocked.blocked;
        let mut batch = vec![request];
        match self.storing.store(&batch).await {
            Ok(Pushed::Stored(receipts)) => {
                batch.iter().for_each(|request| blocked.remove(request.jobs.iter()));
                answer(batch, receipts);
            }
            Ok(Pushed::Refused(index)) => refuse(&mut batch, index),
            Ok(Pushed::UnknownQueue) => fail(batch, lost_queue()),
            Err(unanswered) if unanswered.is_blocked => {
                batch.iter().for_each(|request| blocked.add(request.jobs.iter()));
                return batch.pop();
            }
            Err(unanswered) => fail(batch, unanswered.error),
        }
        None
    }

    fn held_up(&self) -> QueueError {
        let place = &self.storing.server.place;
        QueueError::unavailable(format!(
            "another transaction on {place} has held a unique key or a lock that this push needs for {:?}: commit or \
             roll back that transaction",
            place.timeout
        ))
    }
}
