//! Laws about what operators see and do.

use std::collections::BTreeMap;

use queue_core::inspect::{Cancellation, Filter, Page, Prune};
use queue_core::{
    Delivery, Demand, Fence, JobId, Lease, QueueErrorKind, QueueName, Renewal, Settled, Settlement, State, Transition,
};

use super::jobs::{SECOND, id, job, jobs, queue};
use super::subject::{Subject, ids_of};

/// Pushes a job and brings it into a state; the delivery, where there was one.
async fn brought_to(subject: &Subject, number: u32, state: State) -> Option<Delivery> {
    let delay = SECOND * if state == State::Scheduled { 7200 } else { 0 };
    subject.push(vec![job(number).id(id(number)).queue("states").delay(delay)]).await;
    let transition = match state {
        State::Scheduled | State::Available => return None,
        State::Executing => None,
        State::Retryable => Some(Transition::Retry { at: subject.now().saturating_add(SECOND * 7200), error: "no".into() }),
        State::Completed => Some(Transition::Complete),
        State::Discarded => Some(Transition::Discard { error: "never".into() }),
        State::Cancelled => Some(Transition::Cancel { reason: "why".into() }),
    };
    let delivery = subject.claim(Demand::new("states", 1)).await.pop();
    let delivery = delivery.unwrap_or_else(|| panic!("job {number} was to be ready in queue `states`"));
    assert_eq!(delivery.id(), id(number), "the only job that is ready in queue `states`");
    if let Some(transition) = transition {
        subject.settle(&delivery, transition).await;
    }
    subject.is(id(number), state).await;
    Some(delivery)
}

/// Q40: Cancelling a waiting job ends it at once; an executing one learns of it at its next renewal; if it still completes,
/// completed it is; what would have it run again, a lost lease included, leaves it cancelled.
pub(super) async fn q40_cancel_ends_a_waiting_job_and_asks_an_executing_one(subject: &Subject) {
    for (number, state) in (0..).zip([State::Scheduled, State::Retryable, State::Available]) {
        brought_to(subject, number, state).await;
        let answer = subject.does("`cancel` of a waiting job", subject.queue().cancel(id(number), "no more")).await;
        assert_eq!(answer, Cancellation::Cancelled, "`cancel` of a job that is {state}");
        let record = subject.is(id(number), State::Cancelled).await;
        assert_eq!(record.cancel_reason.as_deref(), Some("no more"), "the reason");
        assert_eq!(record.finished_at, Some(subject.now()), "when it finished");
        let again = subject.does("`cancel` of a cancelled job", subject.queue().cancel(id(number), "again")).await;
        assert_eq!(again, Cancellation::Finished, "`cancel` of a job that is cancelled");
    }
    let at = subject.now().saturating_add(SECOND);
    let ends = [
        (Some(Transition::Complete), State::Completed),
        (Some(Transition::Retry { at, error: "no".into() }), State::Cancelled),
        (Some(Transition::Snooze { at }), State::Cancelled),
        (Some(Transition::Cancel { reason: "why".into() }), State::Cancelled),
        (Some(Transition::Release), State::Cancelled),
        (None, State::Cancelled),
    ];
    for (number, (transition, state)) in (10..).zip(ends) {
        let delivery = brought_to(subject, number, State::Executing).await.unwrap_or_else(|| panic!("a delivery"));
        let answer = subject.does("`cancel` of an executing job", subject.queue().cancel(id(number), "stop")).await;
        assert_eq!(answer, Cancellation::Requested, "`cancel` of an executing job");
        subject.is(id(number), State::Executing).await;
        let renewal = subject.renew(&delivery.lease).await;
        let Renewal::Held { cancel, .. } = renewal else { panic!("the lease of a job that is to be cancelled holds: {renewal:?}") };
        assert_eq!(cancel.as_deref(), Some("stop"), "the reason that the renewal brings");
        match transition {
            Some(transition) => subject.settle(&delivery, transition).await,
            None => subject.advance(Lease::DEFAULT_LENGTH).await,
        }
        subject.is(id(number), state).await;
    }
    subject.advance(SECOND * 7200).await;
    assert_eq!(ids_of(&subject.claim(Demand::new("states", 9)).await), [], "no job that was cancelled is delivered again");
    subject.refuses(QueueErrorKind::Invalid, "`cancel` of an unknown job", subject.queue().cancel(id(99), "x")).await;
}

/// Q41: Operator's `retry` makes a discarded, cancelled or completed job available with at least one attempt left; on an executing one it is `Conflict`.
pub(super) async fn q41_an_operators_retry_makes_a_finished_job_available_again(subject: &Subject) {
    subject.push(vec![job(0).id(id(0)).max_attempts(1)]).await;
    let ends = [Transition::Complete, Transition::Discard { error: "never".into() }, Transition::Cancel { reason: "why".into() }];
    for (attempt, end) in (1..).zip(ends) {
        let delivery = subject.claim_one().await;
        assert_eq!(delivery.attempt, attempt, "the attempt");
        subject.refuses(QueueErrorKind::Conflict, "`retry` of an executing job", subject.queue().retry(id(0))).await;
        subject.settle(&delivery, end.clone()).await;
        subject.advance(SECOND).await;

        subject.does(format!("`retry` after {end:?}"), subject.queue().retry(id(0))).await;

        let record = subject.is(id(0), State::Available).await;
        assert!(record.max_attempts > record.attempt, "a job that was retried after {end:?} has an attempt left: {record:?}");
        assert_eq!((record.finished_at, record.cancel_reason), (None, None), "of a job that is to run again");
    }
    let delivery = subject.claim_one().await;
    subject.settle(&delivery, Transition::Complete).await;
    let waiting = [(1, State::Retryable), (2, State::Scheduled)];
    for (number, state) in waiting {
        brought_to(subject, number, state).await;
    }
    for (number, state) in waiting {
        subject.does(format!("`retry` of a job that is {state}"), subject.queue().retry(id(number))).await;
        subject.is(id(number), State::Available).await;
    }
    let mut waiter = subject.claiming(Demand::new("default", 1));
    waiter.waits(&**subject.queue()).await;
    subject.does("`retry`", subject.queue().retry(id(0))).await;
    let woken = subject.does("a claim that waited for a job to be retried", waiter.wakes()).await;
    assert_eq!(ids_of(&woken), [id(0)], "a claim that waits wakes for a job that is retried");
    subject.refuses(QueueErrorKind::Invalid, "`retry` of an unknown job", subject.queue().retry(id(99))).await;
}

/// Q42: `delete` removes any job but an executing one (`Conflict`).
pub(super) async fn q42_delete_removes_any_job_but_an_executing_one(subject: &Subject) {
    for (number, state) in (0..).zip(State::ALL) {
        brought_to(subject, number, state).await;
        if state == State::Executing {
            subject.refuses(QueueErrorKind::Conflict, "`delete` of an executing job", subject.queue().delete(id(number))).await;
            subject.is(id(number), state).await;
            continue;
        }
        subject.does(format!("`delete` of a job that is {state}"), subject.queue().delete(id(number))).await;
        let record = subject.does("`get`", subject.queue().get(id(number))).await;
        assert!(record.is_none(), "a job that was {state} is there after `delete`: {record:?}");
        subject.refuses(QueueErrorKind::Invalid, "`delete` of an unknown job", subject.queue().delete(id(number))).await;
    }
    subject.advance(SECOND).await;
    assert_eq!(ids_of(&subject.claim(Demand::new("states", 9)).await), [], "no job that was deleted is delivered");
    assert_eq!(subject.total().await, 1, "the executing job is all that is left");
}

/// Q43: A paused queue delivers nothing and accepts pushes; `resume` wakes waiters; durable queues remember it over a restart.
pub(super) async fn q43_a_paused_queue_delivers_nothing_until_it_is_resumed(subject: &Subject) {
    subject.push(vec![job(0).id(id(0)), job(1).id(id(1)).queue("other")]).await;
    let running = subject.claim_one().await;
    subject.does("`pause`", subject.queue().pause(&QueueName::DEFAULT)).await;
    subject.push(vec![job(2).id(id(2)), job(3).id(id(3)).delay(SECOND * 5)]).await;

    let mut waiter = subject.claiming(Demand::new("default", 1));
    waiter.waits(&**subject.queue()).await;
    subject.advance(SECOND * 5).await;
    waiter.waits(&**subject.queue()).await;
    subject.is(id(3), State::Available).await;
    let renewal = subject.renew(&running.lease).await;
    assert!(matches!(renewal, Renewal::Held { .. }), "a running job of a paused queue is renewed: {renewal:?}");
    subject.settle(&running, Transition::Complete).await;
    let both = subject.claim(Demand::of([QueueName::DEFAULT, queue("other")], 9)).await;
    assert_eq!(ids_of(&both), [id(1)], "of a paused queue and another, the other delivers");
    assert!(is_paused(subject).await, "`counts` must show that the queue is paused");
    if let Some(reopened) = subject.fixture().reopen().await {
        let subject = subject.with_queue(reopened);
        subject.nothing_is_ready().await;
        assert!(is_paused(&subject).await, "`counts` must show after a restart that the queue is paused");
    }

    subject.does("`resume`", subject.queue().resume(&QueueName::DEFAULT)).await;

    let woken = subject.does("a claim that waited for its queue to be resumed", waiter.wakes()).await;
    assert_eq!(ids_of(&woken), [id(2)], "the first job of the queue that was resumed");
    assert_eq!(ids_of(&subject.claim_up_to(9).await), [id(3)], "the rest of it");
    subject.push(vec![job(4)]).await;
    assert!(!is_paused(subject).await, "`counts` must show that the queue was resumed");
}

async fn is_paused(subject: &Subject) -> bool {
    let counts = subject.does("`counts`", subject.queue().counts()).await;
    counts.iter().any(|counts| counts.queue == QueueName::DEFAULT && counts.paused)
}

/// Q44: `counts` for each queue and state are exact at rest.
pub(super) async fn q44_counts_are_exact_at_rest(subject: &Subject) {
    let mut number = 0;
    for (state, times) in State::ALL.into_iter().zip(1..) {
        // What is available would be claimed to bring the next one to its state, so it comes last.
        for _ in 0..if state == State::Available { 0 } else { times } {
            brought_to(subject, number, state).await;
            number += 1;
        }
    }
    brought_to(subject, number, State::Available).await;
    subject.push(vec![job(number + 1).id(id(number + 1)).queue("states")]).await;
    subject.push(jobs(4)).await;

    for (state, times) in State::ALL.into_iter().zip(1..) {
        assert_eq!(subject.count(&queue("states"), state).await, times, "how many jobs of queue `states` are {state}");
        let listed = subject.ids(&Filter::all().queue("states").state(state)).await;
        assert_eq!(listed.len() as u64, times, "how many jobs of queue `states` are listed as {state}");
    }
    assert_eq!(subject.count(&QueueName::DEFAULT, State::Available).await, 4, "how many jobs of queue `default` are available");
    assert_eq!(subject.count(&QueueName::DEFAULT, State::Completed).await, 0, "how many jobs of queue `default` are completed");
    subject.advance(SECOND * 7200).await;
    let scheduled = subject.count(&queue("states"), State::Scheduled).await + subject.count(&queue("states"), State::Retryable).await;
    assert_eq!(scheduled, 0, "time makes what waits available, in the counts too");
    assert_eq!(subject.count(&queue("states"), State::Executing).await, 0, "leases expire, in the counts too");
}

/// Q45: `get` of an unknown id is `None`.
pub(super) async fn q45_an_unknown_id_is_none(subject: &Subject) {
    subject.push(jobs(3)).await;
    for unknown in [id(99), JobId::from_u128(0), JobId::from_u128(u128::MAX), JobId::random()] {
        let record = subject.does("`get` of an unknown id", subject.queue().get(unknown)).await;
        assert!(record.is_none(), "`get` of {unknown}, which nobody pushed: {record:?}");
    }
}

/// Q46: `list` filters by queue, state, name and age; its pages neither miss nor repeat a job that was there throughout, even while others are pushed.
pub(super) async fn q46_pages_neither_miss_nor_repeat_a_job(subject: &Subject) {
    subject.push((0..20).map(|number| job(number).id(id(number)).priority(7 - (number as i32) % 3)).collect()).await;
    let old = subject.now().saturating_add(SECOND);
    subject.advance(SECOND).await;
    let mut other = job(20).id(id(20)).queue("other");
    other.name = "play".into();
    subject.push(vec![other, job(21).id(id(21)).delay(SECOND * 60)]).await;

    let filters: [(&str, Filter, Vec<u32>); 7] = [
        ("all", Filter::all(), (0..22).collect()),
        ("a queue", Filter::all().queue("other"), vec![20]),
        ("a state", Filter::all().state(State::Scheduled), vec![21]),
        ("two states", Filter::all().state(State::Scheduled).state(State::Available), (0..22).collect()),
        ("a name", Filter::all().name("play"), vec![20]),
        ("age", Filter::all().pushed_before(old), (0..20).collect()),
        ("a name and a queue that don't go together", Filter::all().name("play").queue("default"), Vec::new()),
    ];
    for (what, filter, expected) in filters {
        for size in [1, 4, 100] {
            let listed: Vec<_> = subject.list(&filter, size).await.into_iter().map(|record| record.id).collect();
            let expected: Vec<_> = expected.iter().copied().map(id).collect();
            assert_eq!(listed, expected, "what is listed by {what}, in push order, by pages of {size}");
        }
    }

    let (mut listed, mut page, mut number) = (BTreeMap::new(), Page::first(3), 100);
    loop {
        let listing = subject.does("`list` while others push", subject.queue().list(&Filter::all(), &page)).await;
        for record in listing.jobs {
            *listed.entry(record.id).or_insert(0) += 1;
        }
        if number < 106 {
            subject.push(vec![job(number).id(id(number)).priority(-9)]).await;
            subject.does("`delete`", subject.queue().delete(id(number - 100))).await;
            let claimed = subject.claim_up_to(1).await;
            subject.settled(claimed.into_iter().map(|delivery| Settlement::new(delivery.lease, Transition::Release)).collect()).await;
        }
        number += 1;
        match listing.next {
            Some(cursor) => page = Page::after(cursor, 3),
            None => break,
        }
    }
    for number in 6..22 {
        assert_eq!(listed.get(&id(number)), Some(&1), "how often job {number} was listed, which was there throughout");
    }
    assert!(listed.values().all(|times| *times == 1), "no job is listed twice: {listed:?}");
}

/// Q47: `prune` removes finished jobs older than the given age for each state, in bounded batches, and never an unfinished one.
pub(super) async fn q47_prune_removes_old_finished_jobs_in_bounded_batches(subject: &Subject) {
    let states = [
        State::Completed, State::Discarded, State::Cancelled, State::Completed, State::Discarded, State::Cancelled,
        State::Completed, State::Retryable, State::Scheduled, State::Available,
    ];
    for (number, state) in (0..).zip(states) {
        brought_to(subject, number, state).await;
        subject.advance(SECOND * 10).await;
    }
    // Jobs 0 to 6 finished 100, 90, … 40 s ago.
    assert_eq!(subject.prune(&Prune::nothing()).await, 0, "a prune of nothing");
    let mut of_completed = Prune::nothing();
    of_completed.completed = Some(SECOND * 70);
    assert_eq!(subject.prune(&of_completed).await, 2, "completed jobs that finished at least 70 s ago");
    left(subject, &[1, 2, 4, 5, 6, 7, 8, 9]).await;
    let mut of_discarded = Prune::older_than(SECOND * 60);
    of_discarded.cancelled = None;
    of_discarded.completed = None;
    of_discarded.limit = 1;
    assert_eq!(subject.prune(&of_discarded).await, 1, "one discarded job at most");
    left(subject, &[2, 4, 5, 6, 7, 8, 9]).await;
    assert_eq!(subject.prune(&Prune::older_than(SECOND * 86_400)).await, 0, "jobs that finished a day ago");
    let mut two = Prune::older_than(SECOND * 0);
    two.limit = 2;
    assert_eq!(subject.prune(&two).await, 2, "two finished jobs at most, of whatever state");
    left(subject, &[5, 6, 7, 8, 9]).await;
    assert_eq!(subject.prune(&Prune::older_than(SECOND * 0)).await, 2, "every finished job");
    left(subject, &[7, 8, 9]).await;

    let fences: Vec<_> = subject.list(&Filter::all(), 9).await.into_iter().map(|record| record.fence).collect();
    assert_eq!(fences, [Fence(1), Fence(0), Fence(0)], "unfinished jobs are as they were");
    let ready = subject.claim(Demand::new("states", 9)).await;
    let ends = ready.into_iter().map(|delivery| Settlement::new(delivery.lease, Transition::Complete));
    assert_eq!(subject.settled(ends.collect()).await, [Settled::Applied], "unfinished jobs are delivered after a prune");
}

async fn left(subject: &Subject, numbers: &[u32]) {
    let expected: Vec<_> = numbers.iter().copied().map(id).collect();
    assert_eq!(subject.ids(&Filter::all()).await, expected, "what is left after a prune");
}
