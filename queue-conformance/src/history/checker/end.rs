//! The final state of a job.

use queue_core::{State, Transition};

use super::claim::{Claim, Settling};
use super::empty_claims::EmptyClaims;
use crate::history::FinalState;
use crate::history::span::{LogTime, Span};

/// Checks that a job finished as its last holder settled it, or was discarded after its last attempt.
pub(super) fn check(
    last: Option<&Claim<'_>>,
    final_state: &FinalState,
    max_attempts: u32,
    empty_claims: &EmptyClaims,
) -> Result<(), String> {
    let FinalState { state, fence, attempt, .. } = *final_state;
    if let Some(applied) =
        last.and_then(Claim::applied).filter(|end| end.is_end() && end_of(end) != Some(state))
    {
        return Err(format!(
            "a job was {}, and is {state} at the end",
            end_of(applied).map_or("released", State::as_str)
        ));
    }
    let (known, counted) = match last {
        Some(claim) => (claim.fence, claim.given()?.1),
        None => (queue_core::Fence(0), 0),
    };
    if fence < known {
        return Err(format!("fences must grow: the job is listed with {fence}, and {known} was delivered"));
    }
    let unknown = u32::try_from(fence.0 - known.0).unwrap_or(u32::MAX);
    if unknown == 0 && attempt != counted {
        return Err(format!("a job is listed with {attempt} attempts, and its last was {counted}"));
    }
    if attempt > counted.saturating_add(unknown) {
        return Err(format!(
            "a job is listed with {attempt} attempts, and at most {counted} + {unknown} are possible"
        ));
    }
    if unknown > 0 && !empty_claims.is_between(&start_of(last), None) {
        return Err(format!(
            "no client received the fences from {known} to {fence}, and no claim went unanswered"
        ));
    }
    let is_used_up = attempt >= max_attempts;
    let is_told = unknown == 0 && last.is_some_and(|claim| says(claim, state));
    let is_lost = unknown > 0 || last.is_some_and(|claim| claim.applied().is_none());
    if is_told || (state == State::Discarded && is_used_up && is_lost) {
        return Ok(());
    }
    Err(format!(
        "a job is {state} at the end, and no settlement led to that state (attempt {attempt} of {max_attempts})"
    ))
}

/// Returns whether a settlement that was applied, or may have been, led to this state.
fn says(claim: &Claim<'_>, state: State) -> bool {
    claim.settled.iter().any(|settling| end_of(settling) == Some(state))
}

fn end_of(settling: &Settling<'_>) -> Option<State> {
    match settling.transition {
        Transition::Complete { .. } => Some(State::Completed),
        Transition::Discard { .. } => Some(State::Discarded),
        Transition::Cancel { .. } => Some(State::Cancelled),
        _ => None,
    }
}

fn start_of(last: Option<&Claim<'_>>) -> Span {
    let given = last.and_then(|claim| claim.claimed.first()).map(|(span, ..)| *span);
    given.unwrap_or(Span::since(LogTime::FIRST))
}
