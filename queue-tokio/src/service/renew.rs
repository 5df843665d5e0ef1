//! The renewal: keeps the leases of all jobs in hand, from a thread that jobs can't hold up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use queue_core::{Event, Heartbeat, InterruptReason, JobName, Lease, QueueError, Renewal, Timestamp};

use super::held::Place;
use super::shift::Shift;
use super::trouble::Trouble;

impl Shift {
    /// Renews until the loop is over. Once it has found no job in hand it sleeps until there is one, and uses no CPU.
    ///
    /// While jobs come and go it wakes by time alone, so that none has to wake it.
    pub(super) async fn renew_all(self: Arc<Self>) {
        let mut trouble = Trouble::with(&self.settings.name, "renew", 2);
        let mut next = self.runtime.now().saturating_add(self.settings.renew_every());
        let mut hog = HogWatch::default();
        loop {
            if self.hand.is_empty() {
                tokio::select! {
                    biased;
                    () = self.over.cancelled() => return,
                    () = self.hand.filled_again() => {}
                }
                next = self.runtime.now().saturating_add(self.settings.renew_every());
            }
            let wake = self.hand.next_force().min(next);
            tokio::select! {
                biased;
                () = self.over.cancelled() => return,
                () = self.runtime.sleep(wake.since(self.runtime.now())) => {}
            }
            let now = self.runtime.now();
            // Jobs that had their grace and did not stop are dropped.
            self.hand.each(|_, held| held.force_if_overdue(now));
            if now >= next {
                hog.look(&self, now.since(next));
                let wait = self.renew(&mut trouble).await;
                next = self.runtime.now().saturating_add(wait);
            }
        }
    }

    /// Renews every lease in hand, and tells when to do so again.
    async fn renew(&self, trouble: &mut Trouble) -> Duration {
        let now = self.runtime.now();
        let (mut places, mut leases) = (Vec::new(), Vec::new());
        self.hand.each(|place, held| {
            places.push(place);
            leases.push(held.lease().clone());
        });
        let heartbeats = Heartbeat::of(&leases);
        let answer = tokio::select! {
            biased;
            answer = self.queue.renew(&heartbeats) => answer,
            () = self.runtime.sleep(self.settings.renew_every()) => Err(QueueError::unavailable("the queue did not answer in time")),
        };
        match answer {
            Ok(renewals) => {
                trouble.worked(&self.environment);
                self.take_note(&places, &leases, renewals, now);
                self.settings.renew_every()
            }
            Err(error) => {
                let wait = trouble.failed(&error, &self.environment);
                self.give_up_expired();
                wait.min(self.settings.renew_every())
            }
        }
    }

    fn take_note(&self, places: &[Place], leases: &[Lease], renewals: Vec<Renewal>, asked_at: Timestamp) {
        let now = self.runtime.now();
        let mut answers = places.iter().zip(leases).zip(renewals).peekable();
        let mut events = Vec::new();
        // Places are visited in the order in which they were asked for; some may be gone or taken anew by now.
        self.hand.each(|place, held| {
            while answers.next_if(|((asked, _), _)| **asked < place).is_some() {}
            let Some(((_, lease), renewal)) = answers.next_if(|((asked, _), _)| **asked == place) else {
                return;
            };
            if held.lease() != lease {
                return;
            }
            match renewal {
                Renewal::Held { cancel, .. } => {
                    held.note_renewal(asked_at);
                    if let Some(reason) = cancel.filter(|_| held.interrupted().is_none()) {
                        events.push(Event::CancelRequested { job: held.facts(), reason: reason.clone() });
                        held.interrupt(InterruptReason::Cancelled(reason), now, self.settings.grace);
                    }
                }
                // An attempt that has ended may have been settled a moment ago, and one that was told to stop knows.
                Renewal::Lost if held.has_ended() || held.interrupted().is_some() => {}
                // A unit of work is committing the completion, or has: the settlement says how that ended. Where the commit
                // takes as long as from one renewal to the next, the lease counts as lost.
                Renewal::Lost if held.attempt.is_completed() || held.doubt_completion() => {}
                Renewal::Lost => {
                    events.push(Event::LeaseLost(held.facts()));
                    held.interrupt(InterruptReason::LeaseLost, now, self.settings.grace);
                }
                // An answer of a newer contract: the lease is renewed again in time.
                _ => {}
            }
        });
        for event in events {
            if let Event::LeaseLost(job) = &event {
                tracing::warn!(
                    service = self.settings.name, job.id = %job.id, job.name = %job.name, fence = %job.fence,
                    "the lease was lost; the attempt is told to stop"
                );
            }
            self.observe(|| event);
        }
    }

    /// Gives up the jobs whose leases must have expired while the queue could not be asked.
    fn give_up_expired(&self) {
        let now = self.runtime.now();
        let mut lost = Vec::new();
        self.hand.each(|_, held| {
            if now.since(held.renewed_at()) >= held.lease().length
                && held.interrupted().is_none()
                && !held.has_ended()
            {
                lost.push(held.facts());
                held.interrupt(InterruptReason::LeaseLost, now, self.settings.grace);
            }
        });
        for job in lost {
            tracing::warn!(
                service = self.settings.name, job.id = %job.id, job.name = %job.name,
                "the lease could not be renewed in time; the attempt is told to stop"
            );
            self.observe(|| Event::LeaseLost(job));
        }
    }
}

/// Looks whether the jobs' runtime still answers.
#[derive(Default)]
struct HogWatch {
    /// Whether the task that was last sent there has run.
    answered: Option<Arc<AtomicBool>>,
}

impl HogWatch {
    /// Sends a task to the jobs' runtime, and reports if the last one has not run, or if this thread itself was late.
    fn look(&mut self, shift: &Arc<Shift>, late: Duration) {
        let is_silent = self.answered.as_ref().is_some_and(|answered| !answered.load(Ordering::SeqCst));
        if is_silent || late > shift.settings.lease / 6 {
            report(shift, late);
        }
        if !is_silent {
            let answered = Arc::new(AtomicBool::new(false));
            self.answered = Some(answered.clone());
            shift.runtime.spawn(Box::pin(async move { answered.store(true, Ordering::SeqCst) }));
        }
    }
}

fn report(shift: &Shift, late: Duration) {
    let mut running: Vec<JobName> = Vec::new();
    shift.hand.each(|_, held| {
        let name = held.attempt.context().name();
        if held.is_running() && !running.contains(name) {
            running.push(name.clone());
        }
    });
    let names: Vec<_> = running.iter().map(JobName::as_str).collect();
    tracing::warn!(
        service = shift.settings.name, running = %names.join(", "), late = ?late,
        "jobs hog the runtime's threads: mark those that block with `#[background_job(blocking)]`"
    );
    shift.observe(|| Event::Hogged { running });
}
