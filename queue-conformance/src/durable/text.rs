//! Texts that a store may be unable to hold (D31).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use queue_core::admin::Cancellation;
use queue_core::{Admin, Demand, JobRecord, Settled, Settlement, State, Timestamp, Transition};

use super::harness::StoreHarness;
use crate::conformance::jobs::{id, job};
use crate::law::expect_eq;

/// Texts that are difficult to store. Each is put into the middle of a simple one.
const HARD: [&str; 9] = [
    "\0",
    "\u{fffe}",
    "\u{ffff}",
    "\u{feff}",
    "job → Repo → Pool",
    "naïve £",
    "ὠ日本語",
    "😀\u{10ffff}",
    "\u{1b}[31m\u{7f}\u{85}\u{2028}",
];

pub(super) async fn d31_an_error_text_that_the_store_cannot_hold_is_stored_with_replacements(
    harness: &StoreHarness,
) {
    are_recorded(harness, true).await;
    for store in harness.store().with_fewer_characters().await {
        are_recorded(&harness.with_store(store), false).await;
    }
}

/// Checks that every failure is recorded, and recorded exactly if the store can hold every character but NUL.
async fn are_recorded(harness: &StoreHarness, holds_all: bool) {
    let queue = harness.open().await;
    for (number, hard) in (0..).zip(HARD) {
        let text = format!("the card was refused: {hard} (code 51)");
        let recorded = |found: Option<&str>, what: &str| {
            let Some(found) = found else { panic!("{what} because of {text:?} recorded no text") };
            let is_kept = found.starts_with("the card was refused: ") && found.ends_with(" (code 51)");
            assert!(is_kept, "{what} because of {text:?} was recorded as {found:?}");
            if holds_all && !hard.contains('\0') {
                expect_eq!(found, text, "the text of {what}");
            }
        };
        let endings = [
            ("a retry", State::Retryable, Transition::Retry { at: far(), error: text.clone() }),
            ("a discard", State::Discarded, Transition::Discard { error: text.clone() }),
            ("a cancel", State::Cancelled, Transition::Cancel { reason: text.clone() }),
        ];
        for (place, (what, state, transition)) in (0..).zip(endings) {
            let job = ends(harness, &queue, number * 10 + place, transition, &text).await;
            expect_eq!(job.state, state, "the state after {what} because of {text:?}");
            match state {
                State::Cancelled => recorded(job.cancel_reason.as_deref(), what),
                _ => recorded(job.errors.last().map(|error| &*error.message), what),
            }
        }
        let waiting = id(number * 10 + 5);
        harness.push(&*queue, vec![job(0).id(waiting).queue("waiting")]).await;
        let cancelled = harness.steps().ok("`cancel`", queue.cancel(waiting, &text)).await;
        expect_eq!(cancelled, Cancellation::Cancelled, "a cancel because of {text:?}");
        let job = harness.steps().ok("`get`", queue.get(waiting)).await;
        recorded(job.and_then(|job| job.cancel_reason).as_deref(), "a cancel by an operator");
    }
}

/// Returns an instant so far ahead that no law reaches it.
fn far() -> Timestamp {
    Timestamp::from(SystemTime::now()).saturating_add(Duration::from_secs(24 * 60 * 60))
}

/// Settles an attempt of a job, and returns the job.
async fn ends(
    harness: &StoreHarness,
    queue: &Arc<dyn Admin>,
    number: u32,
    transition: Transition,
    text: &str,
) -> JobRecord {
    harness.push(&**queue, vec![job(number).id(id(number))]).await;
    let demand = Demand::new("default", 1);
    let claimed = harness.steps().ok("a claim", queue.claim(&demand)).await;
    let Some(delivery) = claimed.into_iter().next() else { panic!("a claim that waits returned no job") };
    let step = format!("a settlement with the text {text:?}");
    let settlement = Settlement::new(delivery.lease, transition);
    let settled = harness.steps().ok(step, queue.settle(vec![settlement])).await;
    expect_eq!(settled, [Settled::Applied], "a settlement with the text {text:?}");
    let job = harness.steps().ok("`get`", queue.get(id(number))).await;
    job.unwrap_or_else(|| panic!("the job that ended with the text {text:?} is missing"))
}
