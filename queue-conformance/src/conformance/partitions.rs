//! The law about the partition of a job.

use queue_core::admin::{Change, Filter, Imported};
use queue_core::{
    Demand, JobId, JobRecord, NewJob, Partition, QueueErrorKind, QueueName, Settlement, State, Transition,
};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id, job, json};
use super::limited::{has_limits, of};
use crate::law::expect_eq;

/// Names that a store must not take for one another, or for none.
const NAMES: [&str; 8] = ["a", "A", "a ", " a", "ä", "a%", "\\", "none"];

/// Q124: A job keeps its partition, byte for byte: `get`, `list`, deliveries, `export` and `import` have it, and a filter selects by it; a name has 1 to 128 bytes without control characters, and the empty name means none.
pub(super) async fn q124_a_job_keeps_its_partition_and_a_filter_selects_by_it(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    names_are_kept_and_selected(harness).await;
    a_bulk_change_is_limited_to_a_partition(harness).await;
    a_partition_outlives_each_end_of_an_attempt(harness).await;
    an_import_keeps_the_partition(harness).await;
    names_that_are_not_allowed_are_refused(harness).await;
}

async fn names_are_kept_and_selected(harness: &QueueHarness) {
    let longest = "p".repeat(128);
    let names: Vec<&str> = NAMES.into_iter().chain(["", longest.as_str()]).collect();
    harness.push((0..).zip(&names).map(|(number, name)| of(name, number)).collect()).await;
    harness.push(vec![of("a", 20).queue("other"), job(21).id(id(21))]).await;

    for (number, name) in (0..).zip(&names) {
        let record = harness.get(id(number)).await;
        expect_eq!(record.partition, Partition::new(name), "the partition of job {number}");
        let filter = Filter::all().queue("default").partition(*name);
        let expected = if name.is_empty() { vec![id(number), id(21)] } else { vec![id(number)] };
        expect_eq!(harness.ids(&filter).await, expected, "the jobs of partition {name:?}");
        let listed = harness.list(&filter, 1).await;
        expect_eq!(listed[0].partition, Partition::new(name), "the partition in the list");
    }
    let filter = |name: &str| Filter::all().partition(name);
    expect_eq!(harness.ids(&filter("a")).await, [id(0), id(20)], "the jobs of `a` in all queues");
    let other = QueueName::new("other");
    expect_eq!(harness.ids(&filter("a").queue(other)).await, [id(20)], "the jobs of `a` in one queue");
    expect_eq!(harness.ids(&filter("a").state(State::Executing)).await, [], "the executing jobs of `a`");
    expect_eq!(harness.ids(&filter("b")).await, [], "the jobs of a partition that has none");
    let claimed = harness.claim_up_to(99).await;
    let found: Vec<_> =
        claimed.iter().map(|delivery| (delivery.id(), delivery.partition.to_string())).collect();
    let mut expected: Vec<_> =
        (0..).zip(&names).map(|(number, name)| (id(number), (*name).to_owned())).collect();
    expected.push((id(21), String::new()));
    expect_eq!(found, expected, "the deliveries, in turn");
    for delivery in &claimed {
        harness.settle(delivery, Transition::complete()).await;
    }
    expect_eq!(harness.get(id(2)).await.partition, Partition::new("a "), "the partition of a completed job");
}

async fn a_bulk_change_is_limited_to_a_partition(harness: &QueueHarness) {
    harness.push(vec![of("x", 30), of("y", 31), of("x", 32), of("", 33)]).await;
    let filter = Filter::all().unfinished().queue("default").partition("x");
    let ids: Vec<JobId> = harness.ok("`matching`", harness.queue().matching(&filter)).await;
    expect_eq!(ids, [id(30), id(32)], "the jobs that match");
    let all = [30, 31, 32, 33].map(id);
    let cancel = Change::Cancel { reason: "over".into() };
    let changed = harness.ok("`change`", harness.queue().change(&all, &filter, &cancel)).await;
    expect_eq!(changed, 2, "the jobs that were cancelled");
    for (number, state) in [(30, State::Cancelled), (31, State::Available), (33, State::Available)] {
        harness.is(id(number), state).await;
    }
    let rest = harness.claim_up_to(9).await;
    expect_eq!(ids_of(&rest), [id(31), id(33)], "the others");
    for delivery in &rest {
        harness.settle(delivery, Transition::complete()).await;
    }
}

/// A job of a partition fails, is released, expires, and ends; then an operator has it run again. A followup has its own partition.
async fn a_partition_outlives_each_end_of_an_attempt(harness: &QueueHarness) {
    harness.push(vec![of("tenant", 40)]).await;
    let ends = [
        Some(Transition::Retry { at: harness.now(), error: "no".into() }),
        Some(Transition::Release),
        None,
        Some(Transition::Discard { error: "never".into() }),
    ];
    for end in ends {
        let delivery = harness.claim(Demand::new("default", 1).lease(SECOND)).await;
        expect_eq!(
            delivery[0].partition,
            Partition::new("tenant"),
            "the partition before the end by {end:?}"
        );
        match end {
            Some(end) => {
                let followups =
                    vec![NewJob::new("work", json("1")).queue("followups").partition("of the followup")];
                let settlement = Settlement::new(delivery[0].lease.clone(), end).followups(followups);
                harness.settled(vec![settlement]).await;
            }
            None => harness.advance(SECOND).await,
        }
        expect_eq!(
            harness.get(id(40)).await.partition,
            Partition::new("tenant"),
            "the partition in the record"
        );
    }
    harness.ok("`retry`", harness.queue().retry(id(40))).await;
    let again = harness.claim_one().await;
    expect_eq!(
        (again.id(), &again.partition),
        (id(40), &Partition::new("tenant")),
        "after an operator's retry"
    );
    let followups = harness.claim(Demand::new("followups", 9)).await;
    let found: Vec<_> = followups.iter().map(|delivery| delivery.partition.as_str()).collect();
    expect_eq!(found, ["of the followup"; 3], "the partition of the followups");
}

async fn an_import_keeps_the_partition(harness: &QueueHarness) {
    let mut record = JobRecord::new(id(50), "work".into(), json("{}"));
    (record.partition, record.queue) = (Partition::new("ä b"), "imports".into());
    let exported = record.export().unwrap_or_else(|error| panic!("`export` failed: {error}"));
    let read =
        JobRecord::import(&exported).unwrap_or_else(|error| panic!("`JobRecord::import` failed: {error}"));
    expect_eq!(read.partition, record.partition, "the partition in an exported job");
    match harness.queue().import(vec![read]).await {
        Err(error) if error.kind() == QueueErrorKind::Unsupported => return,
        answers => expect_eq!(answers.ok(), Some(vec![Imported::Stored]), "the import"),
    }
    let stored = harness.get(id(50)).await;
    expect_eq!(stored.partition, record.partition, "the partition of an imported job");
    let again = stored.export().unwrap_or_else(|error| panic!("`export` failed: {error}"));
    let again = JobRecord::import(&again).map(|record| record.partition);
    expect_eq!(again.ok(), Some(record.partition), "the partition in the export of an imported job");
    let delivery = harness.claim(Demand::new("imports", 1)).await;
    expect_eq!(delivery[0].partition.as_str(), "ä b", "the partition of its delivery");
}

async fn names_that_are_not_allowed_are_refused(harness: &QueueHarness) {
    for (name, said) in
        [("p".repeat(129), "`partition` has 129 bytes"), ("a\nb".into(), "`partition` has '\\n' in it")]
    {
        let push = harness.queue().push(vec![job(60).id(id(60)), of(&name, 61)]);
        let error = harness.fails_with(QueueErrorKind::Invalid, "a push of such a partition", push).await;
        let text = queue_core::backend::error_chain(&error);
        assert!(
            text.contains(said) && text.contains('1'),
            "the error must name the job and the field: {text}"
        );
        let stored = harness.ok("`get`", harness.queue().get(id(60))).await;
        expect_eq!(stored.is_none(), true, "of a refused batch, nothing is stored");
    }
}
