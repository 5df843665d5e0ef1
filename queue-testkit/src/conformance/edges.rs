//! Laws about values at the edge of what there may be.

use queue_core::{Body, Limits, NewJob, QueueErrorKind, Settlement, State, Transition};
use serde::Serialize;

use super::jobs::{SECOND, id, job, text};
use super::subject::Subject;
use crate::law::expect_eq;

/// A payload with numbers in several places.
#[derive(Clone, Default, Serialize)]
struct Measured {
    at: u64,
    places: Vec<Place>,
}

#[derive(Clone, Default, Serialize)]
struct Place {
    celsius: f64,
    humidity: Option<f32>,
}

fn measured(celsius: f64, humidity: Option<f32>) -> NewJob {
    let place = Place { celsius, humidity };
    NewJob::new("measure", Body::typed(Measured { at: 7, places: vec![Place::default(), place] }))
}

/// Q91: NaN and infinity anywhere in a payload are refused, and the error names the job, its place and the field.
pub(super) async fn q91_numbers_that_are_not_finite_are_refused(subject: &Subject) {
    let table = [
        (measured(f64::NAN, None), "celsius"),
        (measured(f64::INFINITY, None), "celsius"),
        (measured(f64::NEG_INFINITY, Some(1.0)), "celsius"),
        (measured(1.0, Some(f32::NAN)), "humidity"),
        (measured(1.0, Some(f32::INFINITY)), "humidity"),
    ];
    for (bad, field) in table {
        let batch = vec![measured(1.5, None), bad.clone()];

        let push = subject.queue().push(batch);
        let error =
            subject.refuses(QueueErrorKind::Invalid, "a push of a number that is not finite", push).await;

        for part in ["job 1 of the batch", "`measure`", &format!("`places[1].{field}`")] {
            assert!(error.to_string().contains(part), "the error must name {part}: {error}");
        }
        expect_eq!(subject.total().await, 0, "jobs that were stored of a batch that was refused");

        subject.push(vec![job(1).id(id(1))]).await;
        let delivery = subject.claim_one().await;
        let mut settlement = Settlement::new(delivery.lease.clone(), Transition::Complete);
        settlement.followups = vec![bad];
        let settle = subject.queue().settle(vec![settlement]);
        subject.refuses(QueueErrorKind::Invalid, "a followup with a number that is not finite", settle).await;
        subject.is(id(1), State::Executing).await;
        subject.settle(&delivery, Transition::Complete).await;
        subject.does("`delete` of a completed job", subject.queue().delete(id(1))).await;
    }
    let finite = measured(f64::MAX, Some(f32::MIN_POSITIVE));

    subject.push(vec![finite.clone().id(id(2))]).await;

    expect_eq!(text(&subject.get(id(2)).await.body), text(&finite.body), "a payload of extreme numbers");
}

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
