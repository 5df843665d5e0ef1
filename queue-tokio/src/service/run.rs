//! The workers: each takes the next job, and leads when there is none.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use queue_core::{Attempted, Delivery, Demand, Event, InterruptReason, Settlement, Transition};

use super::ended::Ended;
use super::hand::Ticket;
use super::shift::{Lead, Shift};

/// How many jobs a worker runs before it lets others have the thread, if none of them does.
const JOBS_A_TURN: usize = 64;

impl Shift {
    /// Starts one more worker if there may be.
    pub(super) fn hire(self: &Arc<Self>) {
        let one_more = |workers| (workers < self.settings.concurrency).then_some(workers + 1);
        if self.workers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok() {
            let shift = self.clone();
            self.spawn("worker", async move { shift.work().await });
        }
    }

    async fn work(self: Arc<Self>) {
        let mut turn = 0;
        while let Some(ticket) = self.next().await {
            self.perform(ticket).await;
            turn += 1;
            if turn == JOBS_A_TURN {
                turn = 0;
                give_way().await;
            }
        }
        self.workers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes the next job: from the buffer, or from the queue as the one who leads. `None` once the loop stops.
    async fn next(self: &Arc<Self>) -> Option<Box<Ticket>> {
        let next = match self.buffered() {
            Some(ticket) => Some(ticket),
            None => {
                self.idle.fetch_add(1, Ordering::SeqCst);
                let next = self.lead().await;
                self.idle.fetch_sub(1, Ordering::SeqCst);
                next
            }
        };
        // Somebody must take the jobs that are left, and lead when there are none.
        if next.is_some() && self.idle.load(Ordering::SeqCst) == 0 {
            self.hire();
        }
        next
    }

    async fn lead(self: &Arc<Self>) -> Option<Box<Ticket>> {
        let mut lead = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return None,
            lead = self.lead.lock() => lead,
        };
        loop {
            if let Some(ticket) = self.buffered() {
                return Some(ticket);
            }
            let deliveries = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return None,
                deliveries = self.claim(&mut lead) => deliveries,
            };
            if deliveries.is_empty() {
                // A queue that answers so although it was to wait must not keep the thread from everyone else.
                give_way().await;
            }
            self.take_in(deliveries);
        }
    }

    /// Claims as many jobs as there are free workers, and perhaps some ahead, for as long as it takes.
    async fn claim(&self, lead: &mut Lead) -> Vec<Delivery> {
        let concurrency = self.settings.concurrency;
        loop {
            // The buffer is empty when somebody leads, so what is open is being worked on.
            let free = concurrency.saturating_sub(self.hand.open()).max(1);
            let began = self.runtime.now();
            let ahead = self.settings.prefetch.unwrap_or_else(|| lead.pace.ahead(concurrency, began));
            let mut demand = Demand::of(lead.rotation.next(), free.saturating_add(ahead));
            demand.lease = self.settings.lease;
            match self.queue.claim(&demand).await {
                Ok(deliveries) => {
                    lead.trouble.worked(&self.world);
                    lead.pace.note(demand.max, deliveries.len(), began, self.runtime.now());
                    return deliveries;
                }
                Err(error) => {
                    let wait = lead.trouble.failed(&error, &self.world);
                    self.runtime.sleep(wait).await;
                }
            }
        }
    }

    fn take_in(&self, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let tickets = self.hand.take(deliveries, self.runtime.now());
        if self.world.observer.is_some() {
            for ticket in &tickets {
                self.observe(|| Event::Claimed((&ticket.delivery).into()));
            }
        }
        let is_surplus = self.hand.open() > self.settings.concurrency;
        for ticket in tickets {
            self.buffer.push(ticket);
        }
        if is_surplus {
            self.surplus.notify_one();
        }
        // Whoever stops the loop empties the buffer; what came after that is given back here.
        if self.stopping.is_cancelled() {
            self.release_buffer();
        }
    }

    /// Takes a job that waits for a worker.
    pub(super) fn buffered(&self) -> Option<Box<Ticket>> {
        if self.stopping.is_cancelled() { None } else { self.buffer.pop() }
    }

    /// Gives the jobs that wait for a worker back, unworked.
    pub(super) fn release_buffer(&self) {
        while let Some(ticket) = self.buffer.pop() {
            self.end(*ticket, Transition::Release);
        }
    }

    async fn perform(&self, ticket: Box<Ticket>) {
        // It may have been lost or cancelled while it waited here.
        let transition = match ticket.held.interrupt.reason() {
            None => return self.attempt(ticket).await,
            Some(InterruptReason::Cancelled(reason)) => Transition::Cancel { reason: reason.clone() },
            Some(InterruptReason::Shutdown | InterruptReason::LeaseLost) => Transition::Release,
        };
        self.end(*ticket, transition);
    }

    async fn attempt(&self, ticket: Box<Ticket>) {
        ticket.held.start();
        let attempted = self.performer.run(&ticket.delivery, ticket.held.interrupt.clone()).await;
        let Ticket { held, place, .. } = *ticket;
        self.hand.end(&held);
        let Attempted { settlement, is_recorded, .. } = attempted;
        self.ended.push(Ended { settlement, is_recorded, held, place });
    }

    /// Ends a job that was not worked on.
    pub(super) fn end(&self, ticket: Ticket, transition: Transition) {
        let Ticket { delivery, held, place } = ticket;
        self.hand.end(&held);
        let settlement = Settlement::new(delivery.lease, transition);
        self.ended.push(Ended { settlement, is_recorded: false, held, place });
    }
}

/// Lets other tasks have the thread once.
pub(super) async fn give_way() {
    let mut gave_way = false;
    poll_fn(|cx| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
