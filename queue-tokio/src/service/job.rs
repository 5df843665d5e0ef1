//! A job in flight: claimed, and not yet settled.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use queue_core::backend::Attempt;
use queue_core::{InterruptReason, JobFacts, Lease, Timestamp};

/// A job in flight. Its worker, the renewer, the watchdog and the settlement share it.
#[derive(Debug)]
pub(super) struct InFlightJob {
    attempt: Attempt,
    /// The lane that claimed it, and its slot there.
    lane: usize,
    slot: usize,
    phase: AtomicU8,
    /// How often a poll of its attempt began or ended: odd while a thread polls it.
    polls: AtomicU32,
    /// When its lease was last known to be held, in microseconds.
    renewed_at: AtomicI64,
    /// When it is dropped if it has not stopped by then, in microseconds; `i64::MAX` for never.
    force_at: AtomicI64,
    /// Whether a renewal found no lease while a unit of work was committing.
    is_doubtful: AtomicBool,
    /// Whether a settlement of it got no answer, and may have been applied.
    is_settlement_repeated: AtomicBool,
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const ENDED: u8 = 2;

impl InFlightJob {
    pub(super) fn new(attempt: Attempt, lane: usize, slot: usize, now: Timestamp) -> Self {
        Self {
            attempt,
            lane,
            slot,
            phase: AtomicU8::new(WAITING),
            polls: AtomicU32::new(0),
            renewed_at: AtomicI64::new(now.as_micros()),
            force_at: AtomicI64::new(i64::MAX),
            is_doubtful: AtomicBool::new(false),
            is_settlement_repeated: AtomicBool::new(false),
        }
    }

    /// Reuses the memory for another job: `set` turns the attempt into that of the other job.
    pub(super) fn reuse(&mut self, now: Timestamp, set: impl FnOnce(&mut Attempt)) {
        set(&mut self.attempt);
        self.phase = AtomicU8::new(WAITING);
        self.polls = AtomicU32::new(0);
        self.renewed_at = AtomicI64::new(now.as_micros());
        self.force_at = AtomicI64::new(i64::MAX);
        self.is_doubtful = AtomicBool::new(false);
        self.is_settlement_repeated = AtomicBool::new(false);
    }

    /// Drops the payload of a settled job. Returns whether the memory can be reused: not while another clone of the attempt lives.
    pub(super) fn clear(&mut self) -> bool {
        self.attempt.clear()
    }

    pub(super) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    pub(super) fn lane(&self) -> usize {
        self.lane
    }

    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.attempt.delivery().lease
    }

    pub(super) fn facts(&self) -> JobFacts {
        self.attempt.delivery().into()
    }

    /// Returns why its attempt was asked to stop, if it was.
    pub(super) fn interrupt_reason(&self) -> Option<&InterruptReason> {
        self.attempt.interrupt().reason()
    }

    /// Notes that its attempt begins. Returns when.
    pub(super) fn start(&self) -> Timestamp {
        self.phase.store(RUNNING, Ordering::SeqCst);
        self.attempt.start()
    }

    /// Notes that it will not be run any more. Returns `false` if that was noted before.
    pub(super) fn end(&self) -> bool {
        self.phase.swap(ENDED, Ordering::SeqCst) != ENDED
    }

    pub(super) fn is_running(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == RUNNING
    }

    pub(super) fn has_ended(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == ENDED
    }

    /// Notes that a thread begins or ends a poll of its attempt. Only that thread calls it.
    pub(super) fn note_poll(&self) {
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store(polls.wrapping_add(1), Ordering::Relaxed);
    }

    /// Returns the number of the poll in which its attempt is, if a thread polls it.
    pub(super) fn current_poll(&self) -> Option<u32> {
        let polls = self.polls.load(Ordering::Relaxed);
        (polls % 2 == 1).then_some(polls)
    }

    /// Returns whether a missing lease may be due to a completion that is being committed; once for each attempt.
    pub(super) fn doubt_completion(&self) -> bool {
        self.attempt.is_completing() && !self.is_doubtful.swap(true, Ordering::SeqCst)
    }

    /// Notes that its settlement got no answer and will be sent again.
    pub(super) fn repeat_settlement(&self) {
        self.is_settlement_repeated.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_settlement_repeated(&self) -> bool {
        self.is_settlement_repeated.load(Ordering::SeqCst)
    }

    pub(super) fn renewed_at(&self) -> Timestamp {
        Timestamp::from_micros(self.renewed_at.load(Ordering::SeqCst))
    }

    pub(super) fn note_renewal(&self, at: Timestamp) {
        self.renewed_at.store(at.as_micros(), Ordering::SeqCst);
    }

    /// Asks the job to stop, and sets when it is dropped if it does not: after the grace period.
    pub(super) fn interrupt(&self, reason: InterruptReason, now: Timestamp, grace: Duration) {
        self.attempt.interrupt().request(reason);
        self.force_at.fetch_min(now.saturating_add(grace).as_micros(), Ordering::SeqCst);
    }

    /// Returns when it is to be dropped; the maximum for never.
    pub(super) fn force_at(&self) -> Timestamp {
        Timestamp::from_micros(self.force_at.load(Ordering::SeqCst))
    }

    /// Drops the job if its grace period is over and it has not stopped.
    pub(super) fn force_if_overdue(&self, now: Timestamp) {
        if self.force_at.load(Ordering::SeqCst) > now.as_micros() {
            return;
        }
        self.force_at.store(i64::MAX, Ordering::SeqCst);
        if let Some(reason) = self.interrupt_reason() {
            self.attempt.interrupt().force(reason.clone());
        }
    }
}
