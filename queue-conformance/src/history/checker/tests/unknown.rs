//! Histories of clients that were killed during a call: both outcomes of that call pass, and nothing else does.

use queue_core::{JobId, State, Transition};

use super::story::{Story, retry, second};
use crate::history::{KnownOutcome, Pushed};

#[test]
fn a_push_without_an_answer_may_be_stored_or_not() {
    Story::new().pushed(1).unanswered().passes();
    Story::new().pushed(1).unanswered().done(1).passes();
}

#[test]
fn a_job_that_is_stored_must_end_though_its_push_had_no_answer() {
    let push = || Story::new().pushed(1).unanswered();

    push().ends(1, State::Available).fails("lost");
    push().claimed(1, 1, 1).settled(1, 1, Transition::complete()).fails("lost");
}

#[test]
fn a_push_that_is_repeated_stores_once() {
    let story = || Story::new().pushed(1).unanswered().pushed(1);

    story().done(1).passes();
    story().fails("lost");
    story().done(1).ends(1, State::Completed).fails("twice");
}

#[test]
fn a_refused_job_that_is_stored_fails() {
    let refused = |is_unique| {
        let job = JobId::from_u128(1);
        Story::new().pushed_as(Pushed { outcome: KnownOutcome::Refused, is_unique, ..Pushed::new(job) })
    };

    refused(true).passes();
    refused(true).done(1).fails("refused");
    refused(false).done(1).fails("refused");
}

#[test]
fn a_batch_without_an_answer_is_stored_whole_or_not_at_all() {
    let batch = || Story::new().pushed_both([1, 2], KnownOutcome::Unknown);

    batch().passes();
    batch().done(1).done(2).passes();
    batch().done(1).fails("half a batch");
    batch().done(2).fails("half a batch");
}

#[test]
fn a_job_with_a_unique_key_may_be_missing_from_its_batch() {
    let batch = JobId::from_u128(1);
    let plain = Pushed { batch, ..Pushed::new(batch) };
    let unique = Pushed { is_unique: true, job: JobId::from_u128(2), place: 1, ..plain.clone() };

    Story::new().pushed_as(plain.clone()).pushed_as(unique.clone()).done(1).passes();
    Story::new().pushed_as(plain).pushed_as(unique).done(2).passes();
}

#[test]
fn a_settlement_without_an_answer_may_be_applied_or_not() {
    let settled = |transition| Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, transition).unanswered();

    settled(Transition::complete()).ends(1, State::Completed).passes();
    settled(Transition::complete())
        .at(30)
        .claimed(1, 2, 2)
        .settled(1, 2, Transition::complete())
        .ends(1, State::Completed)
        .passes();
    settled(retry(5))
        .at(5)
        .claimed(1, 2, 2)
        .settled(1, 2, Transition::complete())
        .ends(1, State::Completed)
        .passes();
    for attempt in [1, 2] {
        let snoozed =
            settled(Transition::Snooze { at: second(40), error: None }).at(40).claimed(1, 2, attempt);
        snoozed.settled(1, 2, Transition::complete()).ends(1, State::Completed).passes();
    }
}

#[test]
fn a_settlement_without_an_answer_allows_only_its_own_effects() {
    let settled = |transition| Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, transition).unanswered();
    let end = |story: Story| story.settled(1, 2, Transition::complete()).ends(1, State::Completed);

    end(settled(Transition::complete()).at(29).claimed(1, 2, 2)).fails("two live holders");
    end(settled(retry(5)).at(4).claimed(1, 2, 2)).fails("before its time");
    end(settled(retry(5)).at(5).claimed(1, 2, 1)).fails("attempt 2 was due");
    end(settled(Transition::Release).claimed(1, 2, 3)).fails("one of 1 to 2 was due");
    settled(Transition::complete()).ends(1, State::Cancelled).fails("no settlement led to that state");
}

#[test]
fn a_settlement_that_is_repeated_may_come_back_as_stale() {
    let settled = Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, Transition::complete()).unanswered();

    settled.stale(1, 1).ends(1, State::Completed).passes();
}

#[test]
fn a_live_lease_that_is_refused_fails() {
    let claimed = || Story::new().pushed(1).claimed(1, 1, 1);
    let end = |story: Story| {
        story.at(30).claimed(1, 2, 2).settled(1, 2, Transition::complete()).ends(1, State::Completed)
    };

    end(claimed().at(29).stale(1, 1)).fails("a live lease was refused");
    end(claimed().at(29).not_renewed(1, 1)).fails("a live lease was refused");
    end(claimed().at(30).not_renewed(1, 1)).passes();
}

#[test]
fn followups_are_stored_if_and_only_if_the_settlement_was_applied() {
    let settled = |outcome| {
        let story = Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, Transition::complete());
        let story = if outcome == KnownOutcome::Unknown { story.unanswered() } else { story };
        story.followups(1, 1, [2, 3], outcome)
    };
    let again = |story: Story| story.at(30).claimed(1, 2, 2).settled(1, 2, Transition::complete());

    settled(KnownOutcome::Applied).ends(1, State::Completed).done(2).done(3).passes();
    settled(KnownOutcome::Applied).ends(1, State::Completed).done(2).fails("lost");
    settled(KnownOutcome::Unknown).ends(1, State::Completed).done(2).done(3).passes();
    settled(KnownOutcome::Unknown).ends(1, State::Completed).fails("no settlement led to that state");
    settled(KnownOutcome::Unknown).ends(1, State::Completed).done(2).fails("half a batch");
    again(settled(KnownOutcome::Unknown)).ends(1, State::Completed).passes();
    again(settled(KnownOutcome::Unknown))
        .ends(1, State::Completed)
        .done(2)
        .done(3)
        .fails("a finished job was delivered again");
}

#[test]
fn a_fence_that_no_client_received_needs_a_claim_without_an_answer() {
    let end = |story: Story, fence| story.settled(1, fence, Transition::complete()).ends(1, State::Completed);
    let missed = || Story::new().pushed(1).missed().unanswered();

    end(missed().at(30).claimed(1, 2, 2), 2).passes();
    end(missed().claimed(1, 2, 1), 2).passes();
    end(missed().claimed(1, 2, 3), 2).fails("attempt 3");
    end(Story::new().pushed(1).claimed(1, 2, 2), 2).fails("no claim went unanswered");
    end(Story::new().missed().pushed(1).claimed(1, 1, 1).at(60).claimed(1, 3, 3), 3)
        .fails("no claim went unanswered");
    end(Story::new().pushed(1).claimed(1, 1, 1).at(30).missed().at(60).claimed(1, 3, 3), 3).passes();
    end(Story::new().pushed(1).claimed(1, 1, 1).at(30).missed().at(60).claimed(1, 3, 4), 3)
        .fails("one of 2 to 3 was due");
}

#[test]
fn a_job_whose_last_attempts_lease_was_lost_is_discarded() {
    let pushed = || {
        let job = Pushed::new(JobId::from_u128(1));
        Story::new().pushed_as(Pushed { max_attempts: 2, outcome: KnownOutcome::Applied, ..job })
    };
    let lost = || pushed().claimed(1, 1, 1).at(30).claimed(1, 2, 2);

    lost().ends(1, State::Discarded).passes();
    pushed().claimed(1, 1, 1).missed().unanswered().ends_with(1, State::Discarded, 2, 2).passes();
    pushed().claimed(1, 1, 1).ends(1, State::Discarded).fails("no settlement led to that state");
    pushed()
        .claimed(1, 1, 1)
        .missed()
        .unanswered()
        .ends_with(1, State::Completed, 2, 2)
        .fails("no settlement led to that state");
    lost()
        .at(60)
        .claimed(1, 3, 3)
        .settled(1, 3, Transition::complete())
        .ends(1, State::Completed)
        .fails("after its last attempt");
}

#[test]
fn a_job_is_listed_as_it_was_delivered() {
    let done = || Story::new().pushed(1).claimed(1, 1, 1).settled(1, 1, Transition::complete());

    done().ends_with(1, State::Completed, 0, 0).fails("fences must grow");
    done().ends_with(1, State::Completed, 1, 2).fails("listed with 2 attempts");
    done()
        .missed()
        .unanswered()
        .ends_with(1, State::Completed, 2, 2)
        .fails("no settlement led to that state");
}

#[test]
fn the_order_is_not_checked_if_the_first_delivery_is_not_known() {
    let pushed = || Story::new().pushed(1).at(1).pushed(2).at(2).missed().unanswered();
    let end = |story: Story| story.done(2).at(40).claimed(1, 2, 2).settled(1, 2, Transition::complete());

    end(pushed()).ends(1, State::Completed).passes();
    pushed().done(2).done(1).fails("order");
}
