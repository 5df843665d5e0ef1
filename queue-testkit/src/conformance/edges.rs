//! Laws about values at the edge of what there may be.

use queue_core::{Limits, State, Transition};

use super::jobs::{SECOND, id, job};
use super::subject::Subject;
use crate::law::expect_eq;

/// Q92: Error texts and reasons are kept up to 8 KiB, and a longer one is cut at a character boundary with a note of its size.
pub(super) async fn q92_long_texts_are_cut_with_a_note_of_their_size(subject: &Subject) {
    // The last fits, and is kept as it is.
    let texts = ["ü→🦀".repeat(70_000), "a".repeat(Limits::TEXT + 1), "b".repeat(Limits::TEXT)];
    for (number, text) in (0..).step_by(10).zip(texts) {
        let at = subject.now().saturating_add(SECOND * 3600);
        let ends = [
            Transition::Retry { at, error: text.clone() },
            Transition::Snooze { at, error: Some(text.clone()) },
            Transition::Discard { error: text.clone() },
            Transition::Cancel { reason: text.clone() },
        ];
        let kept = Limits::cut(text.clone());
        for (number, transition) in (number..).zip(ends) {
            subject.push(vec![job(number).id(id(number))]).await;
            let delivery = subject.claim_one().await;
            let is_cancel = matches!(transition, Transition::Cancel { .. });

            subject.settle(&delivery, transition).await;

            let record = subject.get(id(number)).await;
            let error = record.errors.into_iter().map(|error| error.message).next();
            let found = if is_cancel { record.cancel_reason } else { error };
            same(found.as_deref(), &kept, &format!("the text of {} bytes of job {number}", text.len()));
        }
        let cancelled = number + 9;
        subject.push(vec![job(cancelled).id(id(cancelled))]).await;

        subject.does("`cancel` of a waiting job", subject.queue().cancel(id(cancelled), &text)).await;

        let record = subject.is(id(cancelled), State::Cancelled).await;
        same(record.cancel_reason.as_deref(), &kept, "the reason of `cancel`");
    }
}

/// Holds a text to being the expected one, without printing kilobytes of it.
#[track_caller]
fn same(found: Option<&str>, expected: &str, what: &str) {
    let end =
        |text: &str| text.chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    let found = found.unwrap_or_default();
    expect_eq!((found.len(), end(found)), (expected.len(), end(expected)), "length and end of {what}");
    assert!(found == expected, "{what} is another text of the same length");
}
