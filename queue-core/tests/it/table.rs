//! Tests behaviour of the job table that the conformance suite cannot observe.

use std::time::Duration;

use queue_core::State;
use queue_core::table::{JobTable, Retention, TableConfig};
use queue_core::{Body, Demand, JobId, NewJob, QueueName, Settlement, Timestamp, Transition, Unique};

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn jobs(count: usize) -> Vec<NewJob> {
    (0..count).map(|_| NewJob::new("job", Body::stored("null"))).collect()
}

fn settle_all(table: &mut JobTable, transition: &Transition) -> Vec<JobId> {
    let claimed = table.claim(NOW, &Demand::new("default", usize::MAX));
    let ids = claimed.iter().map(queue_core::Delivery::id).collect();
    let settlements = claimed.into_iter().map(|job| Settlement::new(job.lease, transition.clone())).collect();
    table.settle(NOW, settlements).unwrap();
    ids
}

#[test]
fn completed_jobs_are_only_counted_by_default() {
    let mut table = JobTable::new(TableConfig::default());
    table.push(NOW, jobs(3)).unwrap();

    let ids = settle_all(&mut table, &Transition::complete());

    assert!(ids.iter().all(|id| table.get(NOW, *id).is_none()));
    assert_eq!(table.counts(NOW)[0].of(State::Completed), 3);
    assert_eq!(table.unfinished(), 0);
}

#[test]
fn only_the_newest_discarded_jobs_are_kept() {
    let mut config = TableConfig::default();
    config.retention = Retention::default().discarded(2);
    let mut table = JobTable::new(config);
    table.push(NOW, jobs(5)).unwrap();

    let ids = settle_all(&mut table, &Transition::Discard { error: "no".into() });

    let kept: Vec<_> = ids.iter().map(|id| table.get(NOW, *id).is_some()).collect();
    assert_eq!(kept, [false, false, false, true, true]);
}

#[test]
fn an_identity_is_never_created_twice() {
    let mut table = JobTable::new(TableConfig::default());
    let mut seen = std::collections::HashSet::new();

    for _ in 0..100 {
        let receipts = table.push(NOW, jobs(10)).unwrap();
        assert!(
            receipts.iter().all(|receipt| seen.insert(receipt.id())),
            "slots are reused, identities are not"
        );
        settle_all(&mut table, &Transition::complete());
    }
}

#[test]
fn a_table_ignores_an_earlier_instant() {
    let mut table = JobTable::new(TableConfig::default());
    table.advance(NOW);

    let id = table.push(Timestamp::EPOCH, jobs(1)).unwrap()[0].id();

    assert_eq!(table.get(Timestamp::EPOCH, id).unwrap().pushed_at, NOW);
}

/// Q53: a job uses capacity if it is stored: not if its key is held, and not if it replaces a job that has not started.
#[test]
fn only_stored_jobs_use_capacity() {
    let mut table = JobTable::new(TableConfig::default());
    let job = |queue, unique: Unique| NewJob::new("job", Body::stored("null")).queue(queue).unique(unique);
    table.push(NOW, vec![job("a", "started".into()), job("b", "waiting".into())]).unwrap();
    table.claim(NOW, &Demand::new("a", 1));

    let mut needed = |unique: Unique| table.room_needed(NOW, &[job("a", unique)]);

    assert_eq!(needed("free".into()), 1);
    assert_eq!(needed("started".into()), 0, "the holder of the key keeps it out");
    assert_eq!(needed("waiting".into()), 0, "the holder of the key keeps it out");
    assert_eq!(needed(Unique::new("waiting").replace()), 0, "it becomes part of the holder");
    assert_eq!(needed(Unique::new("started").replace()), 1, "it follows the holder");
}

/// Q41: a job that an operator retries is unfinished again, and uses capacity.
#[test]
fn a_retried_job_uses_capacity_again() {
    let mut config = TableConfig::default();
    config.capacity = Some(3);
    let mut table = JobTable::new(config);
    table.push(NOW, jobs(2)).unwrap();
    let ids = settle_all(&mut table, &Transition::Discard { error: "no".into() });
    assert_eq!((table.unfinished(), table.room()), (0, Some(3)));

    ids.iter().for_each(|id| table.retry(NOW, *id).unwrap());

    assert_eq!((table.unfinished(), table.room()), (2, Some(1)));
}

/// Q43: a queue is counted after a push or a pause, and not counted if claims only waited for it.
#[test]
fn a_queue_with_claims_only_is_not_counted() {
    let mut table = JobTable::new(TableConfig::default());
    let [waited, paused] = ["waited", "paused"].map(QueueName::from_static);

    let numbers = [table.number(&waited), table.number(&paused), table.number(&waited)];
    table.pause(&paused);

    assert_eq!(numbers, [0, 1, 0]);
    let counted: Vec<_> = table.counts(NOW).into_iter().map(|counts| counts.queue).collect();
    assert_eq!(counted, [paused]);
}

/// Q43: a ready job is one that a claim would find now: not a waiting or leased job, and no job of a paused queue.
#[test]
fn only_claimable_jobs_are_ready() {
    let mut table = JobTable::new(TableConfig::default());
    assert_eq!(table.ready(&QueueName::DEFAULT), 0, "the queue was never used");

    table.push(NOW, jobs(3)).unwrap();
    assert_eq!(table.ready(&QueueName::DEFAULT), 3, "immediately, without an advance of time");
    table.push(NOW, jobs(1).into_iter().map(|job| job.delay(Duration::from_secs(1))).collect()).unwrap();
    assert_eq!(table.ready(&QueueName::DEFAULT), 3);
    table.claim(NOW, &Demand::new("default", 1));
    assert_eq!(table.ready(&QueueName::DEFAULT), 2);
    table.pause(&QueueName::DEFAULT);
    assert_eq!(table.ready(&QueueName::DEFAULT), 0);
    table.resume(&QueueName::DEFAULT);
    assert_eq!(table.ready(&QueueName::DEFAULT), 2);
}
