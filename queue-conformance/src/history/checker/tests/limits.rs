//! Histories that keep or break a limit.

use std::time::Duration;

use queue_core::{Limit, QueueLimits, Transition};

use super::story::{Story, retry};

/// Pushes three jobs of partition `a` and one of `b`.
fn pushed() -> Story {
    Story::new().pushed_in("a", 1).pushed_in("a", 2).pushed_in("a", 3).pushed_in("b", 4)
}

#[track_caller]
fn breaks(story: &Story, limits: &QueueLimits, why: &str) {
    let wrong = story.limited(limits).expect_err("the checker accepted a wrong history");
    assert!(wrong.contains(why), "the violation is not `{why}`: {wrong}");
}

#[test]
fn one_live_lease_more_than_the_limit_breaks_it() {
    let story = pushed().claimed(1, 1, 1).claimed(2, 1, 1).claimed(4, 1, 1).missed();

    breaks(&story, &QueueLimits::total(Limit::running(2)), "3 jobs of the queue ran");
    breaks(&story, &QueueLimits::each(Limit::running(1)), "2 jobs of partition a ran");
    assert_eq!(story.limited(&QueueLimits::total(Limit::running(3)).and_each(Limit::running(2))), Ok(()));
    let own = QueueLimits::each(Limit::running(1)).and_partition("a", Limit::NONE);
    assert_eq!(story.limited(&own), Ok(()), "the limit of a partition replaces that of each");
}

#[test]
fn a_lease_that_was_settled_or_may_have_been_frees_its_place() {
    let limits = QueueLimits::total(Limit::running(1));
    let claimed = || pushed().claimed(1, 1, 1);

    let settled = claimed().settled(1, 1, Transition::complete()).claimed(2, 1, 1).missed();
    assert_eq!(settled.limited(&limits), Ok(()));
    let unknown = claimed().settled(1, 1, retry(9)).unanswered().claimed(2, 1, 1).missed();
    assert_eq!(unknown.limited(&limits), Ok(()));
    let overlapping = claimed().claimed(2, 1, 1).settled(1, 1, Transition::complete()).overlapping().missed();
    assert_eq!(overlapping.limited(&limits), Ok(()), "the settlement may have been first");
    breaks(&claimed().stale(1, 1).claimed(2, 1, 1).missed(), &limits, "2 jobs of the queue ran");
}

#[test]
fn a_lease_counts_until_its_expiry_only() {
    let limits = QueueLimits::total(Limit::running(1));

    let late = pushed().claimed(1, 1, 1).at(30).claimed(2, 1, 1).missed();
    assert_eq!(late.limited(&limits), Ok(()));
    let early = pushed().claimed(1, 1, 1).at(29).claimed(2, 1, 1).missed();
    breaks(&early, &limits, "2 jobs of the queue ran");
    let renewed = pushed().claimed(1, 1, 1).at(20).renewed(1, 1).at(40).claimed(2, 1, 1).missed();
    breaks(&renewed, &limits, "2 jobs of the queue ran");
    let last = pushed().claimed(1, 1, 1).at(29).claimed(2, 1, 1).at(31).missed();
    assert_eq!(
        last.limited(&limits),
        Ok(()),
        "no client read the clock before the expiry and after the claim"
    );
}

#[test]
fn one_start_more_than_the_rate_breaks_it() {
    let limits = QueueLimits::each(Limit::starts(2, Duration::from_secs(10)));
    let started = |first: u64, second: u64, third: u64| {
        let story = pushed().at(first).claimed(1, 1, 1).settled(1, 1, Transition::Release);
        let story = story.at(second).claimed(2, 1, 1).settled(2, 1, Transition::complete());
        story.claimed(4, 1, 1).at(third).claimed(1, 2, 1)
    };

    breaks(&started(5, 9, 14), &limits, "3 jobs of partition a started");
    assert_eq!(started(5, 9, 15).limited(&limits), Ok(()), "a window does not include its end");
}
