//! The history of one job.

use queue_core::{Fence, Timestamp};

use super::claim::Claim;
use super::empty_claims::EmptyClaims;
use super::end;
use crate::history::FinalState;
use crate::history::event::{Event, EventKind};
use crate::history::outcome::KnownOutcome;
use crate::history::pushed::Pushed;
use crate::history::span::Span;

/// All events of one job.
#[derive(Debug, Default)]
pub(super) struct JobHistory<'a> {
    /// More than one if a push without an answer was repeated.
    pub(super) pushes: Vec<(Span, &'a Pushed)>,
    /// By fence.
    pub(super) claims: Vec<Claim<'a>>,
    /// The final states. A right history has one.
    pub(super) last: Vec<FinalState>,
}

impl<'a> JobHistory<'a> {
    pub(super) fn add(&mut self, event: &'a Event) {
        match &event.kind {
            EventKind::Pushed(pushed) => self.pushes.push((event.span, pushed)),
            EventKind::Claimed { lease, attempt } => {
                self.claim(lease.fence).claimed.push((event.span, *attempt, lease.expires_at));
            }
            EventKind::Renewed { lease, held_until: Some(until) } => {
                self.claim(lease.fence).renewals.push((event.span, *until));
            }
            EventKind::Renewed { lease, held_until: None } => {
                self.claim(lease.fence).refusals.push(event.span);
            }
            EventKind::Settled { lease, transition, outcome } => {
                self.claim(lease.fence).settle(event.span, transition, *outcome);
            }
            EventKind::EmptyClaim { .. } => {}
        }
    }

    pub(super) fn claim(&mut self, fence: Fence) -> &mut Claim<'a> {
        let at = self.claims.iter().position(|claim| claim.fence == fence).unwrap_or(self.claims.len());
        if at == self.claims.len() {
            self.claims.push(Claim::new(fence));
        }
        &mut self.claims[at]
    }

    pub(super) fn sort(&mut self) {
        self.claims.sort_by_key(|claim| claim.fence);
    }

    /// Returns whether the queue stored the job at some time.
    pub(super) fn is_stored(&self) -> bool {
        !self.last.is_empty() || !self.claims.is_empty()
    }

    pub(super) fn check(&self, empty_claims: &EmptyClaims) -> Result<(), String> {
        let Some(outcome) = self.pushes.iter().map(|(_, pushed)| pushed.outcome).max() else {
            return Err("a job was delivered or is listed, and no client pushed it".to_owned());
        };
        let final_state = match *self.last {
            [final_state] if final_state.state.is_finished() => final_state,
            [FinalState { state, .. }] => {
                return Err(format!(
                    "a job was lost: it is {state} at the end, and no call is in flight any more"
                ));
            }
            [] if outcome == KnownOutcome::Applied => {
                return Err("a job was lost: it was pushed, and is not listed at the end".to_owned());
            }
            [] if self.is_stored() => {
                return Err("a job was lost: it was delivered, and is not listed at the end".to_owned());
            }
            [] => return Ok(()),
            [..] => return Err("a job is listed twice at the end".to_owned()),
        };
        if outcome == KnownOutcome::Refused {
            return Err("a job is stored, and its push was refused".to_owned());
        }
        let max_attempts = self.pushes.iter().map(|(_, pushed)| pushed.max_attempts).max().unwrap_or(0);
        self.claims
            .iter()
            .zip(self.claims.iter().skip(1))
            .try_for_each(|(one, next)| one.check_followed_by(next, max_attempts, empty_claims))?;
        self.check_delivered_in_time(empty_claims)?;
        end::check(self.claims.last(), &final_state, max_attempts, empty_claims)
    }

    /// Checks that each claim came at or after the job's due time. The push sets the due time; each settlement may move it.
    fn check_delivered_in_time(&self, empty_claims: &EmptyClaims) -> Result<(), String> {
        let mut not_before = self.earliest();
        for (nth, claim) in self.claims.iter().enumerate() {
            let (span, attempt, _) = claim.given()?;
            claim.check_honoured()?;
            if span.latest() < not_before {
                return Err(format!("fence {} was delivered before its time, {not_before}", claim.fence));
            }
            if nth == 0 {
                check_first(claim.fence, attempt, &span, empty_claims)?;
            }
            not_before = claim.again_at().unwrap_or(span.start.queue_time);
        }
        Ok(())
    }

    fn earliest(&self) -> Timestamp {
        let pushes = self.pushes.iter().filter(|(_, pushed)| pushed.outcome != KnownOutcome::Refused);
        pushes.map(|(span, pushed)| pushed.earliest(span)).min().unwrap_or(Timestamp::EPOCH)
    }
}

/// Checks that the first delivery that a client received is the first of all, or follows deliveries that no client received.
fn check_first(fence: Fence, attempt: u32, span: &Span, empty_claims: &EmptyClaims) -> Result<(), String> {
    if fence.0 > 1
        && !empty_claims.is_between(&Span { start: crate::history::LogTime::FIRST, ..*span }, Some(span))
    {
        return Err(format!(
            "fence {fence} is the first that a client received, and no claim went unanswered"
        ));
    }
    if attempt == 0 || u64::from(attempt) > fence.0 {
        return Err(format!("fence {fence} is attempt {attempt}, and at most {fence} are possible"));
    }
    Ok(())
}
