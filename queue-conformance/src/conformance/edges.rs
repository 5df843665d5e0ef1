//! Laws about values at the edges of their ranges.

use std::time::Duration;

use queue_core::admin::Prune;
use queue_core::{
    Body, Demand, Limits, NewJob, QueueErrorKind, Receipt, Renewal, Settlement, State, Timestamp, Transition,
    Unique,
};
use serde::Serialize;

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job, text};
use crate::law::expect_eq;

/// Q93: The longest durations are no error and no panic: as a lease, a wait, a delay, a window, a retention.
pub(super) async fn q93_the_longest_durations_are_no_error_and_no_panic(harness: &QueueHarness) {
    harness.push(vec![job(1).id(id(1)).max_attempts(u32::MAX).priority(i32::MIN)]).await;

    let demand = Demand::new("default", usize::MAX).lease(Duration::MAX).wait(Duration::MAX);
    let delivery = harness.claim(demand.clone()).await.pop().unwrap_or_else(|| panic!("a delivery"));

    let renewal = harness.renew(&delivery.lease).await;
    assert!(matches!(renewal, Renewal::Held { .. }), "a lease that never ends must hold: {renewal:?}");
    harness.advance(SECOND * 1_000_000).await;
    harness.settle(&delivery, Transition::complete()).await;
    harness.is(id(1), State::Completed).await;

    // A wait without an end is a wait: a push ends it.
    let mut waiter = harness.claiming(demand);
    waiter.waits(&**harness.queue()).await;
    harness.push(vec![job(2).id(id(2))]).await;
    let delivery = harness.ok("a claim that waits for ever", waiter.wakes()).await.pop();
    let delivery = delivery.unwrap_or_else(|| panic!("a delivery"));
    harness.settle(&delivery, Transition::Retry { at: Timestamp::MAX, error: "no".into() }).await;
    let record = harness.is(id(2), State::Retryable).await;
    expect_eq!(record.run_at, Timestamp::MAX, "`run_at` of a job that waits for the end of time");

    // A lease of no length expires at once, and a wait of no length is no wait.
    harness.push(vec![job(3).id(id(3))]).await;
    let demand = Demand::new("default", 0).lease(Duration::ZERO).wait(Duration::ZERO);
    let delivery = harness.claim(demand).await.pop();
    let delivery = delivery.unwrap_or_else(|| panic!("a claim of 0 jobs is one of 1"));
    expect_eq!(harness.renew(&delivery.lease).await, Renewal::Lost, "a lease without length");
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::Cancel { reason: "done".into() }).await;

    let push = harness.queue().push(vec![job(4).delay(Duration::MAX)]);
    harness.fails_with(QueueErrorKind::Invalid, "a delay past the end of time", push).await;
    harness
        .push(vec![
            job(5).id(id(5)).at(Timestamp::MAX),
            job(6).id(id(6)).at(Timestamp::from_micros(i64::MIN)),
        ])
        .await;
    harness.is(id(5), State::Scheduled).await;
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::complete()).await;

    let unique = |number| job(number).unique(Unique::new("key").within(Duration::MAX));
    harness.push(vec![unique(7).id(id(7))]).await;
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::complete()).await;
    harness.advance(SECOND * 1_000_000).await;
    let receipts = harness.receipts(vec![unique(8)]).await;
    expect_eq!(receipts, [Receipt::Existing(id(7))], "a push within a window without end");

    let keep_all = Prune::older_than(Duration::MAX);
    expect_eq!(harness.prune(&keep_all).await, 0, "jobs that are older than all time");
}

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
pub(super) async fn q91_numbers_that_are_not_finite_are_refused(harness: &QueueHarness) {
    let table = [
        (measured(f64::NAN, None), "celsius"),
        (measured(f64::INFINITY, None), "celsius"),
        (measured(f64::NEG_INFINITY, Some(1.0)), "celsius"),
        (measured(1.0, Some(f32::NAN)), "humidity"),
        (measured(1.0, Some(f32::INFINITY)), "humidity"),
    ];
    for (bad, field) in table {
        let batch = vec![measured(1.5, None), bad.clone()];

        let push = harness.queue().push(batch);
        let error =
            harness.fails_with(QueueErrorKind::Invalid, "a push of a number that is not finite", push).await;

        for part in ["job 1 of the batch", "`measure`", &format!("`places[1].{field}`")] {
            assert!(error.to_string().contains(part), "the error must name {part}: {error}");
        }
        expect_eq!(harness.total().await, 0, "the number of jobs stored from a batch that was refused");

        harness.push(vec![job(1).id(id(1))]).await;
        let delivery = harness.claim_one().await;
        let mut settlement = Settlement::new(delivery.lease.clone(), Transition::complete());
        settlement.followups = vec![bad];
        let settle = harness.queue().settle(vec![settlement]);
        harness
            .fails_with(QueueErrorKind::Invalid, "a followup with a number that is not finite", settle)
            .await;
        harness.is(id(1), State::Executing).await;
        harness.settle(&delivery, Transition::complete()).await;
        harness.ok("`delete` of a completed job", harness.queue().delete(id(1))).await;
    }
    let finite = measured(f64::MAX, Some(f32::MIN_POSITIVE));

    harness.push(vec![finite.clone().id(id(2))]).await;

    expect_eq!(text(&harness.get(id(2)).await.body), text(&finite.body), "a payload of extreme numbers");
}

/// Q92: Error texts and reasons are kept up to 8 KiB, and a longer one is cut at a character boundary with a note of its size.
pub(super) async fn q92_long_texts_are_cut_with_a_note_of_their_size(harness: &QueueHarness) {
    // The last text fits, and is kept as it is.
    let texts = ["ü→🦀".repeat(70_000), "a".repeat(Limits::TEXT + 1), "b".repeat(Limits::TEXT)];
    for (number, text) in (0..).step_by(10).zip(texts) {
        let at = harness.now().saturating_add(SECOND * 3600);
        let ends = [
            Transition::Retry { at, error: text.clone() },
            Transition::Snooze { at, error: Some(text.clone()) },
            Transition::Discard { error: text.clone() },
            Transition::Cancel { reason: text.clone() },
        ];
        let kept = Limits::cut(text.clone());
        for (number, transition) in (number..).zip(ends) {
            harness.push(vec![job(number).id(id(number))]).await;
            let delivery = harness.claim_one().await;
            let is_cancel = matches!(transition, Transition::Cancel { .. });

            harness.settle(&delivery, transition).await;

            let record = harness.get(id(number)).await;
            let error = record.errors.into_iter().map(|error| error.message).next();
            let found = if is_cancel { record.cancel_reason } else { error };
            same(found.as_deref(), &kept, &format!("the text of {} bytes of job {number}", text.len()));
        }
        let cancelled = number + 9;
        harness.push(vec![job(cancelled).id(id(cancelled))]).await;

        harness.ok("`cancel` of a waiting job", harness.queue().cancel(id(cancelled), &text)).await;

        let record = harness.is(id(cancelled), State::Cancelled).await;
        same(record.cancel_reason.as_deref(), &kept, "the reason of `cancel`");
    }
}

/// Checks that a text equals the expected one, without printing kilobytes of it.
#[track_caller]
fn same(found: Option<&str>, expected: &str, what: &str) {
    let end =
        |text: &str| text.chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    let found = found.unwrap_or_default();
    expect_eq!((found.len(), end(found)), (expected.len(), end(expected)), "length and end of {what}");
    assert!(found == expected, "{what} is another text of the same length");
}
