//! Histories that are right, and histories that break one rule each.

mod limits;
mod story;
mod unknown;

use queue_core::{State, Transition};

use story::{Story, retry, second};

#[test]
fn a_job_that_is_retried_lost_and_released_before_it_completes_passes() {
    let story = Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, retry(5)).at(5).claimed(1, 2, 2);
    let story =
        story.at(20).renewed(1, 2).at(50).claimed(1, 3, 3).stale(1, 2).settled(1, 3, Transition::Release);
    story.claimed(1, 4, 3).settled(1, 4, Transition::complete()).ends(1, State::Completed).passes();
}

#[test]
fn a_job_that_is_not_listed_at_the_end_is_lost() {
    Story::new().pushed(1).fails("lost");
    Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, Transition::complete()).fails("lost");
}

#[test]
fn a_job_that_is_unfinished_at_the_end_is_lost() {
    Story::new().pushed(1).ends(1, State::Available).fails("lost");
}

#[test]
fn a_job_without_a_push_fails() {
    Story::new().ends(1, State::Completed).fails("no client pushed it");
    Story::new()
        .claimed(1, 1, 1)
        .settled(1, 1, Transition::complete())
        .ends(1, State::Completed)
        .fails("no client pushed it");
}

#[test]
fn a_job_that_is_listed_twice_fails() {
    let story = Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, Transition::complete());
    story.ends(1, State::Completed).ends(1, State::Completed).fails("twice");
}

#[test]
fn a_second_holder_before_the_lease_expired_fails() {
    let story = Story::new().pushed(1).claimed(1, 1, 1).at(29).claimed(1, 2, 2);
    story.settled(1, 2, Transition::complete()).ends(1, State::Completed).fails("two live holders");
}

#[test]
fn a_second_holder_before_the_renewed_lease_expired_fails() {
    let story = Story::new().pushed(1).claimed(1, 1, 1).at(20).renewed(1, 1).at(40).claimed(1, 2, 2);
    story.settled(1, 2, Transition::complete()).ends(1, State::Completed).fails("two live holders");
}

#[test]
fn two_holders_of_one_lease_fail() {
    let story =
        Story::new().pushed(1).claimed(1, 1, 1).claimed(1, 1, 1).settled(1, 1, Transition::complete());
    story.ends(1, State::Completed).fails("two holders");
}

#[test]
fn a_finished_job_that_is_delivered_again_fails() {
    let story =
        Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, Transition::complete()).at(60).claimed(1, 2, 2);
    story.ends(1, State::Completed).fails("finished job was delivered again");
}

#[test]
fn a_settlement_or_renewal_under_a_lost_lease_fails() {
    let lost = || Story::new().pushed(1).claimed(1, 1, 1).at(30).claimed(1, 2, 2);
    lost()
        .settled(1, 1, retry(31))
        .settled(1, 2, Transition::complete())
        .ends(1, State::Completed)
        .fails("under a lost lease");
    lost()
        .renewed(1, 1)
        .settled(1, 2, Transition::complete())
        .ends(1, State::Completed)
        .fails("under a lost lease");
}

#[test]
fn a_call_that_overlaps_the_next_claim_may_have_been_first() {
    let story = Story::new()
        .pushed(1)
        .claimed(1, 1, 1)
        .at(29)
        .claimed(1, 2, 1)
        .settled(1, 1, Transition::Release)
        .overlapping();
    story.settled(1, 2, Transition::complete()).ends(1, State::Completed).passes();
}

#[test]
fn two_settlements_of_one_lease_are_wrong() {
    let story =
        Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, retry(0)).settled(1, 1, Transition::complete());
    story.ends(1, State::Completed).fails("two settlements");
}

#[test]
fn fences_that_fall_are_wrong() {
    let story = Story::new().pushed(1).claimed(1, 2, 1).settled(1, 2, Transition::Release).claimed(1, 1, 1);
    story.settled(1, 1, Transition::complete()).ends(1, State::Completed).fails("fences must grow");
}

#[test]
fn attempts_that_are_miscounted_are_wrong() {
    let snoozed = Story::new().pushed(1).claimed(1, 1, 1).settled(
        1,
        1,
        Transition::Snooze { at: second(0), error: None },
    );
    let snoozed = snoozed.claimed(1, 2, 2).settled(1, 2, Transition::complete());
    snoozed.ends(1, State::Completed).fails("attempt 1 was due");
    let lost =
        Story::new().pushed(1).claimed(1, 1, 1).at(30).claimed(1, 2, 1).settled(1, 2, Transition::complete());
    lost.ends(1, State::Completed).fails("attempt 2 was due");
}

#[test]
fn a_delivery_before_its_time_fails() {
    let end = |story: Story, fence| story.settled(1, fence, Transition::complete()).ends(1, State::Completed);
    end(Story::new().pushed_with(1, 0, 5).at(4).claimed(1, 1, 1), 1).fails("before its time");
    end(Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, retry(5)).at(4).claimed(1, 2, 2), 2)
        .fails("before its time");
}

#[test]
fn a_finished_job_without_a_settlement_fails() {
    Story::new()
        .pushed(1)
        .claimed(1, 1, 1)
        .ends(1, State::Completed)
        .fails("no settlement led to that state");
    let story = Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, Transition::complete());
    story.ends(1, State::Discarded).fails("was completed");
}

#[test]
fn overtaking_fails_unless_the_calls_overlap() {
    let pushed = |first, second| Story::new().pushed_with(1, first, 0).at(1).pushed_with(2, second, 0).at(2);
    let end = |story: Story, job| story.settled(job, 1, Transition::complete()).ends(job, State::Completed);
    let both = |story: Story, one, two| end(end(story.claimed(one, 1, 1).claimed(two, 1, 1), one), two);

    both(pushed(0, 0), 1, 2).passes();
    both(pushed(0, 0), 2, 1).fails("order");
    both(pushed(0, -1), 2, 1).passes();
    both(pushed(0, -1), 1, 2).fails("order");
    end(end(pushed(0, 0).claimed(2, 1, 1).claimed(1, 1, 1).overlapping(), 1), 2).passes();
    let delayed = Story::new().pushed_with(1, 0, 5).pushed(2).at(4);
    end(end(delayed.claimed(2, 1, 1).at(5).claimed(1, 1, 1), 1), 2).passes();
}

/// The first claim after a job became due makes it ready, or finds that another transaction is about to.
#[test]
fn overtaking_a_due_job_fails_half_a_second_after_the_first_claim_that_made_it_ready() {
    let pushed = || Story::new().pushed_with(1, -1, 1).pushed(2).pushed(3);
    let end = |story: Story, job| story.settled(job, 1, Transition::complete()).ends(job, State::Completed);
    let all = |story: Story| end(end(end(story.claimed(1, 1, 1), 1), 2), 3);

    all(pushed().at(9).claimed(2, 1, 1).claimed(3, 1, 1)).passes();
    all(pushed().at(8).claimed(2, 1, 1).at(9).claimed(3, 1, 1)).fails("order");
    all(pushed().claimed(2, 1, 1).at(9).claimed(3, 1, 1)).passes();
}
