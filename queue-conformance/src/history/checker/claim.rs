//! One delivery, and the check of the delivery that follows it.

use std::ops::RangeInclusive;

use queue_core::{Fence, Timestamp, Transition};

use super::empty_claims::EmptyClaims;
use crate::history::outcome::KnownOutcome;
use crate::history::span::Span;

/// One delivery, and the calls of its holder.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) fence: Fence,
    /// The clients that received it: when, as which attempt, and until when the lease held. A right history has one.
    pub(super) claimed: Vec<(Span, u32, Timestamp)>,
    pub(super) renewals: Vec<(Span, Timestamp)>,
    /// The calls that were answered that the lease was lost.
    pub(super) refusals: Vec<Span>,
    /// The settlements that were applied, or may have been.
    pub(super) settled: Vec<Settling<'a>>,
}

/// A settlement that was applied, or may have been.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settling<'a> {
    pub(super) span: Span,
    pub(super) transition: &'a Transition,
    pub(super) is_certain: bool,
}

impl Settling<'_> {
    /// Returns whether the job has finished if this settlement was applied.
    pub(super) const fn is_end(&self) -> bool {
        matches!(
            self.transition,
            Transition::Complete { .. } | Transition::Discard { .. } | Transition::Cancel { .. }
        )
    }

    const fn is_counted(&self) -> bool {
        !matches!(
            self.transition,
            Transition::Snooze { .. } | Transition::Throttle { .. } | Transition::Release
        )
    }
}

impl<'a> Claim<'a> {
    pub(super) const fn new(fence: Fence) -> Self {
        Self { fence, claimed: Vec::new(), renewals: Vec::new(), refusals: Vec::new(), settled: Vec::new() }
    }

    pub(super) fn settle(&mut self, span: Span, transition: &'a Transition, outcome: KnownOutcome) {
        match outcome {
            KnownOutcome::Refused => self.refusals.push(span),
            KnownOutcome::Unknown => self.settled.push(Settling { span, transition, is_certain: false }),
            KnownOutcome::Applied => self.settled.push(Settling { span, transition, is_certain: true }),
        }
    }

    /// Decides whether settlements without an answer were applied.
    pub(super) fn learn(&mut self, was_applied: bool) {
        if was_applied
            && self.applied().is_none()
            && let Some(settling) = self.settled.first_mut()
        {
            settling.is_certain = true;
        }
        if was_applied || self.applied().is_none() {
            self.settled.retain(|settling| settling.is_certain);
        }
    }

    /// Returns the settlement that was certainly applied.
    pub(super) fn applied(&self) -> Option<&Settling<'a>> {
        self.settled.iter().find(|settling| settling.is_certain)
    }

    /// Returns when the delivery was received, as which attempt, and until when its lease held at first.
    pub(super) fn given(&self) -> Result<(Span, u32, Timestamp), String> {
        if self.settled.iter().filter(|settling| settling.is_certain).count() > 1 {
            return Err(format!("two settlements applied under fence {}", self.fence));
        }
        match *self.claimed {
            [claimed] => Ok(claimed),
            [] => Err(format!("fence {} was used, and no client received it", self.fence)),
            [..] => Err(format!("two holders of one lease: fence {}", self.fence)),
        }
    }

    /// Checks that no call under this lease was refused while the lease was live.
    pub(super) fn check_honoured(&self) -> Result<(), String> {
        for refusal in &self.refusals {
            let is_settled =
                self.settled.iter().any(|settling| settling.span.start.order < refusal.last_order());
            let until = self.held_until(refusal);
            if !is_settled && until > refusal.latest() {
                return Err(format!(
                    "a live lease was refused: fence {} held until {until}, and was refused as lost at step {}",
                    self.fence, refusal.start.order
                ));
            }
        }
        Ok(())
    }

    /// Returns until when the lease certainly held when a call was made.
    fn held_until(&self, call: &Span) -> Timestamp {
        let given = self.claimed.iter().map(|(span, _, until)| (span, until));
        let renewed = self.renewals.iter().map(|(span, until)| (span, until));
        let known = given.chain(renewed).filter(|(span, _)| span.is_before(call));
        known.map(|(_, until)| *until).max().unwrap_or(Timestamp::from_micros(i64::MIN))
    }

    /// Returns when the holder asked for the next delivery, if it did.
    ///
    /// If it is not certain that the settlement was applied, the lease may expire earlier and make the job ready then.
    pub(super) fn again_at(&self) -> Option<Timestamp> {
        let settling = self.applied().or(self.settled.first())?;
        let (Transition::Retry { at, .. } | Transition::Snooze { at, .. } | Transition::Throttle { at }) =
            settling.transition
        else {
            return None;
        };
        if settling.is_certain {
            return Some(*at);
        }
        let given = self.claimed.iter().map(|(_, _, until)| until);
        let until = given.chain(self.renewals.iter().map(|(_, until)| until)).max()?;
        Some(*at.min(until))
    }

    /// Checks that this delivery was over when the next one was made, and that the next one has the right fence and attempt.
    pub(super) fn check_followed_by(
        &self,
        next: &Self,
        max_attempts: u32,
        empty_claims: &EmptyClaims,
    ) -> Result<(), String> {
        let ((one, attempt, expires_at), (two, next_attempt, _)) = (self.given()?, next.given()?);
        let (fence, greater) = (self.fence, next.fence);
        if two.is_before(&one) {
            return Err(format!("fences must grow: {greater} was delivered before {fence}"));
        }
        if let Some(end) = self.applied().filter(|settling| settling.is_end()) {
            return Err(format!(
                "a finished job was delivered again: fence {fence} ended it ({:?}), and {greater} was delivered",
                end.transition
            ));
        }
        let settled = self.applied().map(|settling| settling.span);
        let late = settled.into_iter().chain(self.renewals.iter().map(|(span, _)| *span));
        if let Some(late) = late.into_iter().find(|span| two.is_before(span)) {
            return Err(format!(
                "a call under a lost lease was accepted: fence {fence} at step {}, after {greater} was delivered",
                late.start.order
            ));
        }
        let handed_back = self.handed_back(&two);
        let until = self.held_until(&two).max(expires_at);
        if handed_back.is_empty() && until > two.latest() {
            return Err(format!(
                "two live holders: fence {fence} held until {until}, and {greater} was delivered before"
            ));
        }
        if handed_back.is_empty() && attempt >= max_attempts {
            return Err(format!(
                "a job was delivered after its last attempt: fence {fence} was lost on attempt {attempt} of {max_attempts}"
            ));
        }
        let between = greater.0 - fence.0 - 1;
        if between > 0 && !empty_claims.is_between(&one, Some(&two)) {
            return Err(format!(
                "no client received the fences between {fence} and {greater}, and no claim went unanswered"
            ));
        }
        check_due(greater, next_attempt, &self.due(attempt, &handed_back, between))
    }

    /// Returns the settlements that may have made the job ready again before another call's answer.
    fn handed_back(&self, before: &Span) -> Vec<&Settling<'a>> {
        let ends = self.settled.iter().filter(|settling| !settling.is_end());
        ends.filter(|settling| settling.span.start.order < before.last_order()).collect()
    }

    /// Returns the possible numbers of the next attempt, given `between` deliveries that no client received.
    fn due(&self, attempt: u32, handed_back: &[&Settling<'_>], between: u64) -> RangeInclusive<u32> {
        let may_be_uncounted = handed_back.iter().any(|settling| !settling.is_counted());
        let may_be_counted = handed_back.iter().all(|settling| !settling.is_certain || settling.is_counted());
        let least = attempt.saturating_add(u32::from(!may_be_uncounted));
        let most = attempt.saturating_add(u32::from(may_be_counted));
        // Each delivery between them expired, which counts as an attempt, or was released, which doesn't.
        least..=most.saturating_add(u32::try_from(between).unwrap_or(u32::MAX))
    }
}

/// Checks that an attempt has one of the possible numbers.
fn check_due(fence: Fence, attempt: u32, due: &RangeInclusive<u32>) -> Result<(), String> {
    if due.contains(&attempt) {
        return Ok(());
    }
    let (least, most) = (due.start(), due.end());
    let due = if least == most { format!("attempt {least}") } else { format!("one of {least} to {most}") };
    Err(format!("fence {fence} is attempt {attempt}, and {due} was due"))
}
