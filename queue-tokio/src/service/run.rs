//! The workers: each takes the next job, and leads when there is none.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use queue_core::{Delivery, Demand, Event, InterruptReason, Settlement, Transition};

use super::ended::Ended;
use super::hand::Ticket;
use super::shift::{Lead, Shift};

/// How many jobs a worker runs before it lets others have the thread, if none of them does.
const JOBS_A_TURN: usize = 64;

impl Shift {
    /// Starts one more worker if there may be.
    pub(super) fn hire(self: &Arc<Self>) {
        let mut floor = self.floor();
        if floor.workers >= self.settings.concurrency {
            return;
        }
        floor.workers += 1;
        drop(floor);
        let shift = self.clone();
        self.runtime.spawn(Box::pin(async move { shift.work().await }));
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
        self.floor().workers -= 1;
    }

    /// Takes the next job: from the buffer, or from the queue as the one who leads. `None` once the loop stops.
    async fn next(self: &Arc<Self>) -> Option<Ticket> {
        let next = match self.buffered() {
            Some(ticket) => Some(ticket),
            None => {
                self.floor().idle += 1;
                let next = self.lead().await;
                self.floor().idle -= 1;
                next
            }
        };
        // Somebody must take the jobs that are left, and lead when there are none.
        if next.is_some() && self.floor().idle == 0 {
            self.hire();
        }
        next
    }

    async fn lead(self: &Arc<Self>) -> Option<Ticket> {
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
            self.take_in(deliveries);
        }
    }

    /// Claims as many jobs as there are free workers, for as long as it takes.
    async fn claim(&self, lead: &mut Lead) -> Vec<Delivery> {
        loop {
            let busy = self.hand.running();
            let free = self.settings.concurrency.saturating_sub(busy).max(1);
            let mut demand = Demand::of(lead.rotation.next(), free + self.settings.prefetch);
            demand.lease = self.settings.lease;
            match self.queue.claim(&demand).await {
                Ok(deliveries) => {
                    lead.trouble.worked(&self.world);
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
        self.floor().buffer.extend(tickets);
        // Whoever stops the loop empties the buffer; what came after that is given back here.
        if self.stopping.is_cancelled() {
            self.release_buffer();
        }
    }

    /// Takes a job that waits for a worker.
    fn buffered(&self) -> Option<Ticket> {
        let mut floor = self.floor();
        if self.stopping.is_cancelled() {
            return None;
        }
        let ticket = floor.buffer.pop_front()?;
        // Under the floor's lock, so that a loop that stops sees each job either in the buffer or running.
        self.hand.start(ticket.place);
        Some(ticket)
    }

    /// Gives the jobs that wait for a worker back, unworked.
    pub(super) fn release_buffer(&self) {
        let waiting: Vec<_> = self.floor().buffer.drain(..).collect();
        for ticket in waiting {
            self.end(ticket, Transition::Release);
        }
    }

    async fn perform(&self, ticket: Ticket) {
        let Ticket { delivery, interrupt, place } = ticket;
        // It may have been lost or cancelled while it waited here.
        let transition = match interrupt.reason() {
            None => {
                let facts = (&delivery).into();
                let settlement = self.performer.run(delivery, interrupt).await;
                self.hand.end(place);
                return self.ended.push(Ended { settlement, facts, place });
            }
            Some(InterruptReason::Cancelled(reason)) => Transition::Cancel { reason: reason.clone() },
            Some(InterruptReason::Shutdown | InterruptReason::LeaseLost) => Transition::Release,
        };
        self.hand.end(place);
        self.end(Ticket { delivery, interrupt, place }, transition);
    }

    fn end(&self, ticket: Ticket, transition: Transition) {
        let facts = (&ticket.delivery).into();
        let settlement = Settlement::new(ticket.delivery.lease, transition);
        self.ended.push(Ended { settlement, facts, place: ticket.place });
    }
}

/// Lets other tasks have the thread once.
async fn give_way() {
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
