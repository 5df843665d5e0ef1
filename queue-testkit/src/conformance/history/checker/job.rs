//! Whether the history of one job may be.

use queue_core::{Fence, State, Timestamp, Transition};

use super::is_end;
use crate::conformance::history::event::{Event, Fact, Span};

/// Everything that happened to one job.
#[derive(Debug, Default)]
pub(super) struct JobHistory<'a> {
    pub(super) pushed: Option<&'a Event>,
    /// By fence.
    pub(super) claims: Vec<Claim<'a>>,
    /// As it stands at the end; once, if all is well.
    pub(super) last: Vec<State>,
}

/// One delivery, and what its holder did.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    fence: Fence,
    /// Nobody remembers a claim whose fence was only ever used.
    claimed: Vec<(&'a Event, u32, Timestamp)>,
    renewals: Vec<(Span, Timestamp)>,
    settled: Vec<&'a Event>,
}

impl<'a> JobHistory<'a> {
    pub(super) fn add(&mut self, event: &'a Event) {
        match &event.fact {
            Fact::Pushed { .. } => self.pushed = Some(event),
            Fact::Claimed { lease, attempt } => {
                self.claim(lease.fence).claimed.push((event, *attempt, lease.expires_at));
            }
            Fact::Renewed { lease, held_until: Some(until) } => {
                self.claim(lease.fence).renewals.push((event.span, *until));
            }
            Fact::Settled { lease, is_applied: true, .. } => self.claim(lease.fence).settled.push(event),
            Fact::Renewed { .. } | Fact::Settled { .. } => {}
        }
    }

    fn claim(&mut self, fence: Fence) -> &mut Claim<'a> {
        let at = self.claims.iter().position(|claim| claim.fence == fence).unwrap_or(self.claims.len());
        if at == self.claims.len() {
            self.claims.push(Claim { fence, claimed: Vec::new(), renewals: Vec::new(), settled: Vec::new() });
        }
        &mut self.claims[at]
    }

    pub(super) fn sort(&mut self) {
        self.claims.sort_by_key(|claim| claim.fence);
    }

    /// When the job was first delivered, if it ever was.
    pub(super) fn first_claim(&self) -> Option<&'a Event> {
        self.claims.first()?.claimed.first().map(|(event, ..)| *event)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let Some(pushed) = self.pushed else {
            return Err("a job was delivered that nobody pushed".to_owned());
        };
        match *self.last {
            [state] if state.is_finished() => self.is_told(state)?,
            [state] => {
                return Err(format!(
                    "a job was lost: it is {state} at the end, and nothing is under way any more"
                ));
            }
            [] => return Err("a job was lost: it was pushed, and is not listed at the end".to_owned()),
            [..] => return Err("a job is listed twice at the end".to_owned()),
        }
        self.claims
            .iter()
            .zip(self.claims.iter().skip(1))
            .try_for_each(|(one, next)| one.is_followed_by(next))?;
        let delay = match &pushed.fact {
            Fact::Pushed { delay, .. } => *delay,
            _ => std::time::Duration::ZERO,
        };
        let mut not_before = pushed.span.from.saturating_add(delay);
        for claim in &self.claims {
            let (event, ..) = claim.check()?;
            if event.span.to < not_before {
                return Err(format!("fence {} was delivered before its time, {not_before}", claim.fence));
            }
            not_before = claim.again_at().unwrap_or(event.span.from);
        }
        Ok(())
    }

    /// A job is completed only if somebody was told so.
    fn is_told(&self, state: State) -> Result<(), String> {
        let is_completed =
            |event: &&Event| matches!(event.fact, Fact::Settled { transition: Transition::Complete, .. });
        let completed =
            self.claims.iter().flat_map(|claim| &claim.settled).copied().any(|event| is_completed(&event));
        match (state, completed) {
            (State::Completed, false) => {
                Err("a job is completed at the end, and no settlement said so".to_owned())
            }
            (State::Discarded | State::Cancelled, true) => {
                Err(format!("a job was completed, and is {state} at the end"))
            }
            _ => Ok(()),
        }
    }
}

impl<'a> Claim<'a> {
    fn check(&self) -> Result<(&'a Event, u32, Timestamp), String> {
        if self.settled.len() > 1 {
            return Err(format!("two settlements applied under fence {}", self.fence));
        }
        match *self.claimed {
            [claimed] => Ok(claimed),
            [] => Err(format!("fence {} was used, and never given to anybody", self.fence)),
            [..] => Err(format!("two holders were given one lease: fence {}", self.fence)),
        }
    }

    /// When the job is to be delivered again, by its holder's word.
    fn again_at(&self) -> Option<Timestamp> {
        match &self.settled.first()?.fact {
            Fact::Settled {
                transition: Transition::Retry { at, .. } | Transition::Snooze { at }, ..
            } => Some(*at),
            _ => None,
        }
    }

    /// Holds that this delivery was over when the next was made, and that the next goes on where it ended.
    fn is_followed_by(&self, next: &Self) -> Result<(), String> {
        let ((one, attempt, expires_at), (two, next_attempt, _)) = (self.check()?, next.check()?);
        let (fence, greater) = (self.fence, next.fence);
        if two.span.is_before(&one.span) {
            return Err(format!("fences must grow: {greater} was delivered before {fence}"));
        }
        if let Some(end) = self.settled.iter().find(|event| is_end(&event.fact)) {
            return Err(format!(
                "a finished job was delivered again: fence {fence} ended it ({end}), and {greater} was delivered"
            ));
        }
        let late =
            self.settled.iter().map(|event| event.span).chain(self.renewals.iter().map(|(span, _)| *span));
        if let Some(late) = late.into_iter().find(|span| two.span.is_before(span)) {
            return Err(format!(
                "a lost lease was honoured: fence {fence} at step {}, after {greater} was delivered",
                late.start
            ));
        }
        let settled = self.settled.iter().find(|event| event.span.start < two.span.end);
        let renewed =
            self.renewals.iter().filter(|(span, _)| span.is_before(&two.span)).map(|(_, until)| *until);
        let until = renewed.chain([expires_at]).max().unwrap_or(expires_at);
        if settled.is_none() && until > two.span.to {
            return Err(format!(
                "two live holders: fence {fence} held until {until}, and {greater} was delivered before"
            ));
        }
        let is_counted = settled.is_none_or(|event| {
            !matches!(
                event.fact,
                Fact::Settled { transition: Transition::Snooze { .. } | Transition::Release, .. }
            )
        });
        let expected = attempt + u32::from(is_counted);
        // A fence that nobody was given was released, or lost on the way.
        if greater.0 == fence.0 + 1 && next_attempt != expected {
            return Err(format!("fence {greater} is attempt {next_attempt}, and attempt {expected} was due"));
        }
        Ok(())
    }
}
