//! Laws about pushing.

use std::time::Duration;

use queue_core::admin::Filter;
use queue_core::{
    Fence, JobId, Limits, Meta, NewJob, QueueErrorKind, Receipt, Renewal, Settled, State, Transition,
};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job, jobs, json, text};
use super::waiter::poll_and_drop;
use crate::law::expect_eq;

/// Q1: A batch of n jobs returns n receipts in order; `get` finds each with every field as pushed.
pub(super) async fn q1_a_batch_gets_receipts_in_order_and_each_job_is_stored_as_pushed(
    harness: &QueueHarness,
) {
    let now = harness.now();
    let full = job(1).id(id(1)).queue("mail").delay(SECOND * 90).priority(-7).max_attempts(9);
    let full = full.unique("key").meta("tenant", "acme").meta("trace", "00-1");

    let receipts = harness.receipts(vec![job(0).id(id(0)), full, job(2)]).await;

    expect_eq!(
        receipts.get(..2),
        Some(&[Receipt::Stored(id(0)), Receipt::Stored(id(1))][..]),
        "the receipts, in order"
    );
    let minted = receipts.last().map_or(id(2), |receipt| receipt.id());
    assert!(minted != id(0) && minted != id(1), "a job without an id got one that is taken: {minted}");
    let plain = harness.is(id(0), State::Available).await;
    expect_eq!(
        (plain.name.as_str(), plain.queue.as_str(), text(&plain.body).as_str()),
        ("work", "default", "{\"n\":0}")
    );
    expect_eq!(
        (plain.priority, plain.max_attempts, plain.unique, plain.meta),
        (0, 5, None, Meta::new()),
        "the defaults"
    );
    expect_eq!((plain.pushed_at, plain.run_at), (now, now), "`pushed_at` and `run_at` of a job for now");
    let full = harness.is(id(1), State::Scheduled).await;
    expect_eq!(
        (full.name.as_str(), full.queue.as_str(), text(&full.body).as_str()),
        ("work", "mail", "{\"n\":1}")
    );
    expect_eq!((full.priority, full.max_attempts, full.unique.as_deref()), (-7, 9, Some("key")));
    expect_eq!(
        (full.pushed_at, full.run_at),
        (now, now.saturating_add(SECOND * 90)),
        "`pushed_at` and `run_at`"
    );
    expect_eq!(full.meta, Meta::from_iter([("tenant", "acme"), ("trace", "00-1")]), "meta");
    expect_eq!(
        (full.attempt, full.fence, full.errors.len()),
        (0, Fence(0), 0),
        "of a job that was never claimed"
    );
    expect_eq!(
        (full.claimed_at, full.finished_at, full.cancel_reason),
        (None, None, None),
        "of a waiting job"
    );
    expect_eq!(
        text(&harness.is(minted, State::Available).await.body),
        "{\"n\":2}",
        "the third receipt's job"
    );
}

/// Q2: One invalid job in a batch stores none, and the error names its index, the field, the value's size and the limit.
pub(super) async fn q2_a_batch_with_an_invalid_job_is_refused_whole_and_the_error_says_why(
    harness: &QueueHarness,
) {
    let limits = Limits::default();
    let large = format!("\"{}\"", "x".repeat(limits.payload));
    let bad: Vec<(NewJob, Vec<String>)> = vec![
        (NewJob::new("n".repeat(129), json("1")), words(["name", "129", "128"])),
        (NewJob::new("not a name", json("1")), words(["name", "' '"])),
        (NewJob::new("", json("1")), words(["name", "empty"])),
        (job(1).queue("q".repeat(200)), words(["queue", "200", "128"])),
        (job(1).queue("straße"), words(["queue", "ß"])),
        (
            NewJob::new("work", json(&large)),
            vec!["payload".into(), large.len().to_string(), limits.payload.to_string()],
        ),
        (
            job(1).meta("key", "v".repeat(limits.meta)),
            vec!["meta".into(), (limits.meta + 3).to_string(), limits.meta.to_string()],
        ),
        (job(1).max_attempts(0), words(["max_attempts", "0", "1"])),
        (job(1).unique(""), words(["unique", "empty"])),
        (job(1).unique("k".repeat(257)), words(["unique", "257", "256"])),
        (job(1).delay(Duration::MAX), words(["delay"])),
    ];

    for (bad, named) in bad {
        let step = format!("a push of three jobs, the second of them bad ({})", named.join(", "));
        let batch = vec![job(0).id(id(0)), bad, job(2).id(id(2))];
        let error = harness
            .fails_with(QueueErrorKind::Invalid, &*step, harness.queue().push(batch))
            .await
            .to_string();
        assert!(
            error.contains("job 1 "),
            "the error must name the job's place in the batch, `job 1`: {error}"
        );
        for word in named {
            assert!(
                error.contains(&word),
                "the error must name the field, its size and the limit, so `{word}` too: {error}"
            );
        }
        expect_eq!(harness.total().await, 0, "nothing must be stored after {step}");
    }
    let batch = jobs(u32::try_from(limits.batch).unwrap_or(u32::MAX) + 1);
    let error = harness
        .fails_with(QueueErrorKind::Invalid, "a push of 10,001 jobs", harness.queue().push(batch))
        .await;
    let error = error.to_string();
    assert!(
        error.contains("10001") && error.contains("10000"),
        "the error must name the size and the limit: {error}"
    );
    expect_eq!(harness.total().await, 0, "nothing must be stored of a batch that is too large");
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// Q3: Pushing a known id again stores nothing, returns the same receipt, and does not change the stored job.
pub(super) async fn q3_pushing_a_known_id_again_changes_nothing_and_gives_the_same_receipt(
    harness: &QueueHarness,
) {
    let other = || job(2).id(id(1)).queue("other").priority(3).delay(SECOND).max_attempts(2).meta("a", "b");
    let first = harness.receipts(vec![job(1).id(id(1)), other()]).await;
    expect_eq!(first, [Receipt::Stored(id(1)); 2], "a batch that names an id twice stores its first job");

    for state in [State::Available, State::Executing, State::Completed] {
        match state {
            State::Executing => drop(harness.claim_one().await),
            State::Completed => {
                harness.advance(SECOND * 30).await;
                let delivery = harness.claim_one().await;
                harness.settle(&delivery, Transition::complete()).await;
            }
            _ => {}
        }
        let before = format!("{:?}", harness.is(id(1), state).await);

        let again = harness.receipts(vec![job(3).id(id(3)), other()]).await;

        expect_eq!(
            again,
            [Receipt::Stored(id(3)), Receipt::Stored(id(1))],
            "pushing a job that is {state} again"
        );
        let record = harness.is(id(1), state).await;
        expect_eq!(format!("{record:?}"), before, "pushing again must not change a job that is {state}");
        expect_eq!(text(&record.body), "{\"n\":1}", "the first push stands");
        expect_eq!(harness.total().await, 2, "pushing again must not store a job that is {state}");
        harness.ok("`delete`", harness.queue().delete(id(3))).await;
    }
}

/// Q4: An empty batch succeeds and touches nothing.
pub(super) async fn q4_an_empty_batch_succeeds_and_touches_nothing(harness: &QueueHarness) {
    let mut waiter = harness.claiming(queue_core::Demand::new("default", 1));
    waiter.waits(&**harness.queue()).await;

    expect_eq!(harness.receipts(Vec::new()).await, [], "the receipts of an empty batch");
    let renewals: Vec<Renewal> = harness.ok("a renewal of nothing", harness.queue().renew(&[])).await;
    expect_eq!(renewals, [], "the renewals of no leases");
    let settled: Vec<Settled> = harness.settled(Vec::new()).await;
    expect_eq!(settled, [], "the settlements of nothing");

    expect_eq!(harness.total().await, 0, "an empty batch stores nothing");
    waiter.waits(&**harness.queue()).await;
}

/// Q5: Dropping a push future part-way leaves the whole batch or none of it.
pub(super) async fn q5_a_dropped_push_leaves_the_whole_batch_or_none_of_it(harness: &QueueHarness) {
    const SIZE: u32 = 5;
    for polls in 0..10 {
        let batch = || (0..SIZE).map(|number| job(number).id(id(polls * SIZE + number))).collect::<Vec<_>>();
        let ids: Vec<JobId> = batch().iter().filter_map(|job| job.id).collect();

        harness.note(format!("a push of {SIZE} jobs, dropped after {polls} polls"));
        let answer = poll_and_drop(polls as usize, harness.queue().push(batch())).await;

        let stored = harness.ids(&Filter::all()).await.iter().filter(|id| ids.contains(id)).count();
        assert!(
            stored == 0 || stored == SIZE as usize,
            "a push dropped after {polls} polls left {stored} of {SIZE} jobs"
        );
        assert!(
            answer.is_none() || stored == SIZE as usize,
            "a push that was answered left {stored} of {SIZE} jobs"
        );
        // In either case, the same push completes the batch.
        harness.push(batch()).await;
        let all = harness.ids(&Filter::all()).await;
        let count = ids.iter().filter(|id| all.iter().filter(|stored| stored == id).count() == 1).count();
        expect_eq!(
            count,
            SIZE as usize,
            "the push repeated after it was dropped must leave each of its jobs once"
        );
    }
}
