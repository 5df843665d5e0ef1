//! Whether the history of one job may be.

use queue_core::{Fence, Timestamp};

use super::claim::Claim;
use super::end;
use super::missed::Missed;
use crate::history::Standing;
use crate::history::answer::Answer;
use crate::history::event::{Event, Fact};
use crate::history::pushed::Pushed;
use crate::history::span::Span;

/// Everything that happened to one job.
#[derive(Debug, Default)]
pub(super) struct JobHistory<'a> {
    /// More than one where a push without an answer was repeated.
    pub(super) pushes: Vec<(Span, &'a Pushed)>,
    /// By fence.
    pub(super) claims: Vec<Claim<'a>>,
    /// As it stands at the end; once, if all is well.
    pub(super) last: Vec<Standing>,
}

impl<'a> JobHistory<'a> {
    pub(super) fn add(&mut self, event: &'a Event) {
        match &event.fact {
            Fact::Pushed(pushed) => self.pushes.push((event.span, pushed)),
            Fact::Claimed { lease, attempt } => {
                self.claim(lease.fence).claimed.push((event.span, *attempt, lease.expires_at));
            }
            Fact::Renewed { lease, held_until: Some(until) } => {
                self.claim(lease.fence).renewals.push((event.span, *until));
            }
            Fact::Renewed { lease, held_until: None } => {
                self.claim(lease.fence).refusals.push(event.span);
            }
            Fact::Settled { lease, transition, answer } => {
                self.claim(lease.fence).settle(event.span, transition, *answer);
            }
            Fact::Missed { .. } => {}
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

    /// Tells whether the job is, or was, in the queue.
    pub(super) fn is_stored(&self) -> bool {
        !self.last.is_empty() || !self.claims.is_empty()
    }

    pub(super) fn check(&self, missed: &Missed) -> Result<(), String> {
        let Some(answer) = self.pushes.iter().map(|(_, pushed)| pushed.answer).max() else {
            return Err("a job was delivered or is listed that nobody pushed".to_owned());
        };
        let standing = match *self.last {
            [standing] if standing.state.is_finished() => standing,
            [Standing { state, .. }] => {
                return Err(format!(
                    "a job was lost: it is {state} at the end, and nothing is under way any more"
                ));
            }
            [] if answer == Answer::Applied => {
                return Err("a job was lost: it was pushed, and is not listed at the end".to_owned());
            }
            [] if self.is_stored() => {
                return Err("a job was lost: it was delivered, and is not listed at the end".to_owned());
            }
            [] => return Ok(()),
            [..] => return Err("a job is listed twice at the end".to_owned()),
        };
        if answer == Answer::Refused {
            return Err("a job is stored whose push was refused".to_owned());
        }
        let max_attempts = self.pushes.iter().map(|(_, pushed)| pushed.max_attempts).max().unwrap_or(0);
        self.claims
            .iter()
            .zip(self.claims.iter().skip(1))
            .try_for_each(|(one, next)| one.is_followed_by(next, max_attempts, missed))?;
        self.is_delivered_in_time(missed)?;
        end::check(self.claims.last(), &standing, max_attempts, missed)
    }

    /// Holds that no delivery came before its time, which is the push's word first, then each holder's.
    fn is_delivered_in_time(&self, missed: &Missed) -> Result<(), String> {
        let mut not_before = self.earliest();
        for (nth, claim) in self.claims.iter().enumerate() {
            let (span, attempt, _) = claim.given()?;
            claim.is_honoured()?;
            if span.latest() < not_before {
                return Err(format!("fence {} was delivered before its time, {not_before}", claim.fence));
            }
            if nth == 0 {
                is_first(claim.fence, attempt, &span, missed)?;
            }
            not_before = claim.again_at().unwrap_or(span.start.at);
        }
        Ok(())
    }

    fn earliest(&self) -> Timestamp {
        let pushes = self.pushes.iter().filter(|(_, pushed)| pushed.answer != Answer::Refused);
        pushes.map(|(span, pushed)| pushed.earliest(span)).min().unwrap_or(Timestamp::EPOCH)
    }
}

/// Holds that the first delivery that anybody knows of is the first of all, or follows those that nobody was given.
fn is_first(fence: Fence, attempt: u32, span: &Span, missed: &Missed) -> Result<(), String> {
    if fence.0 > 1 && !missed.is_between(&Span { start: crate::history::Moment::FIRST, ..*span }, Some(span))
    {
        return Err(format!(
            "fence {fence} is the first that anybody was given, and no claim went unanswered"
        ));
    }
    if attempt == 0 || u64::from(attempt) > fence.0 {
        return Err(format!("fence {fence} is attempt {attempt}, and no more than {fence} can have been"));
    }
    Ok(())
}
