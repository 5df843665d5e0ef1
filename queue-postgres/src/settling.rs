//! The settle task: attempts that end while a statement runs share the next one.
//!
//! # Tasks and shared state
//!
//! The settle task gathers the requests of all callers into statements. A second task, the [`CarefulSettler`], takes
//! those that another transaction blocks. Each has its own connection. Both share [`Server`], with the queues known to
//! exist and the unique keys found locked.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | a caller | the settle task | it settles |
//! | the claim task | the settle task | jobs that no caller received are to be released |
//! | the settle task | the careful task | another transaction blocks a statement, or has lately blocked a key of a request |
//! | either | the claim task | jobs may have become ready |
//! | either | the caller | its settlements were answered |
//!
//! # Shutdown
//!
//! The settle task ends when the queue's last handle is dropped, after it has sent all requests made before. The careful
//! task ends after it, with its last request.
//!
//! # Races
//!
//! - A queue that the server loses after it became known: the statement does nothing and says so, and is sent again.
//! - A connection that breaks during a commit: the caller gets an error. A second try would find its own settlement
//!   stale.
//!
//! **Invariant:** a shared statement waits for no lock of another transaction. If another transaction blocks one, the
//! settle task sends the requests of that statement to the careful task, which settles as many settlements of each as it
//! can and answers [`Blocked`](Settled::Blocked) for the others.

mod careful;
mod request;

use std::sync::Arc;
use std::time::Duration;

use queue_core::{QueueError, Settled};
use sqlx::postgres::PgRow;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

pub(crate) use careful::CarefulSettler;
pub(crate) use request::{Part, Settle, parts_of};

use crate::batch::past_the_end;
use crate::company::Company;
use crate::error::{explained, is_about_the_request, is_notification_refused, is_untranslatable, shared};
use crate::link::{Link, Unanswered};
use crate::server::{Notice, Server};
use crate::settlements::{Ends, Manner, bind_settlements};

/// The approximate maximum number of jobs in one statement, and of the bytes of its followups.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// How long a statement lingers for the callers that the last one answered.
const COMPANY: Duration = Duration::from_micros(50);

/// The maximum number of tries of a statement whose queues are lost in between.
const ENTRIES: usize = 3;

/// Sends settlements to the server over its own connection.
struct Settling {
    link: Link,
    server: Arc<Server>,
}

pub(crate) struct Settler {
    requests: UnboundedReceiver<Settle>,
    /// Receives the requests that another transaction blocks.
    careful: UnboundedSender<Settle>,
    settling: Settling,
    company: Company,
}

impl Settler {
    pub(crate) fn new(
        requests: UnboundedReceiver<Settle>,
        careful: UnboundedSender<Settle>,
        server: Arc<Server>,
    ) -> Self {
        Self { requests, careful, settling: Settling::new(server), company: Company::new(COMPANY) }
    }

    /// Runs until all senders of requests are dropped.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            self.settle(batch).await;
        }
    }

    async fn gather(&mut self) -> Option<Vec<Settle>> {
        let mut next = Some(self.requests.recv().await?);
        let mut batch = Vec::new();
        let (mut weight, mut bytes) = (0, 0);
        let expected = self.company.expected(1 + self.requests.len());
        let mut patience = self.company.patience();
        while weight < MOST && bytes < MOST_BYTES {
            match next.take().or_else(|| self.requests.try_recv().ok()) {
                Some(settle) if self.settling.server.blocked.any_of(settle.followups.iter().flatten()) => {
                    self.hand_over(settle);
                }
                Some(settle) => {
                    weight += settle.weight();
                    bytes += settle.bytes();
                    batch.push(settle);
                }
                None if batch.len() >= expected || !patience.wait().await => break,
                None => {}
            }
        }
        self.company.came(batch.len(), expected);
        Some(batch)
    }

    /// Settles a batch and answers its requests. A request that fails prevents no other from being settled.
    async fn settle(&mut self, mut batch: Vec<Settle>) {
        while !batch.is_empty() {
            let parts: Vec<_> = batch.iter().map(Settle::whole).collect();
            match self.settling.ask(&parts, false).await {
                Ok(Ends { refused: Some(place), .. }) => refuse(&mut batch, place),
                Ok(ends) => return answer(batch, &ends.applied),
                Err(unanswered) if unanswered.is_blocked => {
                    batch.into_iter().for_each(|settle| self.hand_over(settle));
                    return;
                }
                Err(Unanswered { error, .. }) if batch.len() > 1 && is_about_the_request(&error) => {
                    // One of the requests is invalid: each is settled alone, the first one by this loop.
                    let rest = batch.split_off(1);
                    for settle in rest {
                        Box::pin(self.settle(vec![settle])).await;
                    }
                }
                Err(Unanswered { error, .. }) => {
                    let mut error = shared(error);
                    batch.into_iter().for_each(|settle| settle.answer(Err(error())));
                    return;
                }
            }
        }
    }

    fn hand_over(&self, settle: Settle) {
        // The receiving task ends after this one.
        drop(self.careful.send(settle));
    }
}

impl Settling {
    fn new(server: Arc<Server>) -> Self {
        Self { link: Link::impatient(server.place.clone()), server }
    }

    /// Settles `parts`, and wakes the claim task if jobs became ready. With `skips`, leases locked by another transaction
    /// are skipped.
    async fn ask(&mut self, parts: &[Part<'_>], skips: bool) -> Result<Ends, Unanswered> {
        for _ in 0..ENTRIES {
            let followups = parts.iter().flat_map(|part| part.followups).flatten();
            let unknown = self.server.unknown_queues(followups);
            self.server.ensure_queues(&mut self.link, unknown).await?;
            let ends = self.ask_once(parts, skips).await?;
            if !ends.is_queue_unknown {
                if parts.iter().any(Part::makes_jobs_ready) {
                    self.server.wake();
                }
                return Ok(ends);
            }
            self.server.forget_queues();
        }
        Err(lost_queue().into())
    }

    async fn ask_once(&mut self, parts: &[Part<'_>], skips: bool) -> Result<Ends, Unanswered> {
        let changes = parts.iter().any(Part::makes_jobs_ready);
        let mut notice = if changes { self.server.notice() } else { (None, None) };
        let mut manner = Manner { skips, escapes: false };
        let row = loop {
            match self.send(parts, manner, &notice).await {
                Ok(row) => break row,
                Err(Unanswered { error, .. }) if notice.0.is_some() && is_notification_refused(&error) => {
                    self.server.note_refused();
                    notice = (None, None);
                }
                // Commits that notify wait for one another in the whole server, so the notification is sent separately.
                Err(unanswered) if notice.0.is_some() && unanswered.is_blocked => notice = (None, None),
                Err(Unanswered { error, .. }) if !manner.escapes && is_untranslatable(&error) => {
                    manner.escapes = true;
                }
                Err(unanswered) => return Err(unanswered),
            }
        };
        if changes && notice.0.is_none() {
            self.server.notified_late();
        }
        Ends::read(&row).map_err(|error| explained(error, &self.server.place).into())
    }

    async fn send(
        &mut self,
        parts: &[Part<'_>],
        manner: Manner,
        notice: &Notice,
    ) -> Result<PgRow, Unanswered> {
        let sql = &self.server.sql.settle;
        self.link
            .try_call(&move |connection| {
                Box::pin(bind_settlements(sql.query(), parts, manner, notice).fetch_one(connection))
            })
            .await
    }
}

/// Answers each request. A settlement whose index is not in `applied` was stale.
fn answer(batch: Vec<Settle>, applied: &[i32]) {
    let count: usize = batch.iter().map(|settle| settle.settlements.len()).sum();
    let mut settled = vec![Settled::Stale; count];
    mark(&mut settled, applied, Settled::Applied);
    let mut settled = settled.into_iter();
    for settle in batch {
        let settled = settled.by_ref().take(settle.settlements.len()).collect();
        settle.answer(Ok(settled));
    }
}

/// Sets the answers at these indexes.
fn mark(settled: &mut [Settled], places: &[i32], answer: Settled) {
    for place in places {
        if let Some(settled) = usize::try_from(*place).ok().and_then(|place| settled.get_mut(place)) {
            *settled = answer;
        }
    }
}

/// Removes the request of the followup at this index, whose delay leads past the end of time, and answers it.
fn refuse(batch: &mut Vec<Settle>, place: i32) {
    let mut index = usize::try_from(place).unwrap_or(0);
    for (at, settle) in batch.iter().enumerate() {
        for followups in &settle.followups {
            if index < followups.len() {
                let error = past_the_end(followups, index);
                batch.remove(at).answer(Err(error));
                return;
            }
            index -= followups.len();
        }
    }
    // No followup has this index, so it is not known which request is invalid. All are answered with the error.
    let mut error = shared(QueueError::invalid("a `delay` of a followup leads past the end of time"));
    batch.drain(..).for_each(|settle| settle.answer(Err(error())));
}

/// Returns the error of a settlement whose followup's queue was created at each try and was lost each time.
fn lost_queue() -> QueueError {
    QueueError::unavailable("the queue of a followup was removed meanwhile: the tables are being emptied")
}
