//! Holds the job table to what the conformance suite can't see from outside.

use queue_core::inspect::State;
use queue_core::model::{JobTable, Retention, TableConfig};
use queue_core::{Body, Demand, JobId, NewJob, Settlement, Timestamp, Transition};

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

    let ids = settle_all(&mut table, &Transition::Complete);

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
fn a_given_identity_is_never_given_again() {
    let mut table = JobTable::new(TableConfig::default());
    let mut seen = std::collections::HashSet::new();

    for _ in 0..100 {
        let receipts = table.push(NOW, jobs(10)).unwrap();
        assert!(
            receipts.iter().all(|receipt| seen.insert(receipt.id())),
            "slots are used again, identities are not"
        );
        settle_all(&mut table, &Transition::Complete);
    }
}

#[test]
fn a_table_that_is_told_an_earlier_instant_takes_the_latest_it_knows() {
    let mut table = JobTable::new(TableConfig::default());
    table.advance(NOW);

    let id = table.push(Timestamp::EPOCH, jobs(1)).unwrap()[0].id();

    assert_eq!(table.get(Timestamp::EPOCH, id).unwrap().pushed_at, NOW);
}
