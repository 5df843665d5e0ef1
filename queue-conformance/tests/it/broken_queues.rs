//! Checks that the suite catches bugs (T10): for each law there is a broken queue, and the suite must report that law.

mod broken;
mod bulk;
mod claim;
mod discard;
mod edges;
mod explain;
mod history;
mod import;
mod lease;
mod limits;
mod list;
mod operate;
mod partitions;
mod push;
mod results;
mod room;
mod settle;
mod summary;
mod unbroken;
mod workers;

use std::time::Duration;

use queue_conformance::conformance::{check, check_within};
use queue_testkit::ModelQueue;

use broken::{Broken, Bug};

/// How long the suite waits for an event that a broken queue never delivers.
const PATIENCE: Duration = Duration::from_millis(500);

/// Generates a test of each bug, named for the law and the bug.
macro_rules! bugs {
    ($($(#[$doc:meta])* $law:ident $name:ident: $bug:ty;)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                breaks::<$bug>(stringify!($law));
            }
        )*

        /// T10: There is a broken queue for each law.
        #[test]
        fn each_law_has_a_broken_queue() {
            let broken = [$(stringify!($law)),*];

            for law in queue_conformance::conformance::laws() {
                let number = law.split('_').next().unwrap_or_default();
                assert!(broken.contains(&number), "no broken queue breaks {law}");
            }
        }
    };
}

/// Checks that the suite finds the bug, and names the law.
#[track_caller]
fn breaks<B: Bug>(law: &str) {
    let found = check_within(law, PATIENCE, async || Broken::<B>::new());

    let message = found.expect_err("the suite passed a broken queue");
    let named = format!("the queue breaks law {}: ", law.to_uppercase());
    assert!(message.starts_with(&named), "the message must name the law: {message}");
}

bugs! {
    /// T10, Q1
    q1 receipts_in_reverse: push::ReceiptsInReverse;
    /// T10, Q2
    q2 a_batch_stored_job_by_job: push::JobByJob;
    /// T10, Q3
    q3 a_second_push_that_overwrites: push::LastPushStands;
    /// T10, Q4
    q4 an_empty_batch_refused: push::NothingIsInvalid;
    /// T10, Q5
    q5 a_push_that_can_be_cut_in_two: push::CutInTwo;
    /// T10, Q6
    q6 payloads_parsed_and_rewritten: push::PayloadsRewritten;
    /// T10, Q7
    q7 a_closure_stored_as_null: push::ClosuresSwallowed;
    /// T10, Q8
    q8 a_batch_stored_backwards: push::BatchBackwards;
    /// T10, Q9
    q9 priorities_in_sixteen_bits: push::SmallPriorities;
    /// T10, Q10
    q10 queues_in_alphabetical_order: claim::QueuesSorted;
    /// T10, Q11
    q11 a_released_job_goes_to_the_end: settle::ReleaseGoesToTheEnd;
    /// T10, Q12
    q12 delays_cut_short: push::DelaysCutShort;
    /// T10, Q13
    q13 a_past_time_refused: push::PastRefused;
    /// T10, Q14
    q14 a_claim_that_oversleeps: claim::Oversleeps;
    /// T10, Q15
    q15 arithmetic_that_panics: push::ArithmeticPanics;
    /// T10, Q16
    q16 a_claim_of_one_too_many: claim::OneTooMany;
    /// T10, Q17
    q17 a_delivery_made_twice: claim::DeliversTwice;
    /// T10, Q18
    q18 a_claim_that_outlives_its_caller: claim::OutlivesItsCaller;
    /// T10, Q19
    q19 a_claim_that_spins: claim::Spins;
    /// T10, Q19
    q19 a_claim_that_waits_too_long: claim::WaitsForEver;
    /// T10, Q20
    q20 a_push_that_wakes_one: claim::WakesOne;
    /// T10, Q21
    q21 a_claim_that_waits_on_its_first_queue: claim::WaitsOnTheFirst;
    /// T10, Q22
    q22 a_close_that_wakes_no_claim: claim::CloseWakesNoClaim;
    /// T10, Q61
    q61 a_claim_that_ignores_its_stop: claim::DeafToStops;
    /// T10, Q61
    q61 a_stop_that_leaves_a_lease_behind: claim::StopLeavesALease;
    /// T10, Q23
    q23 leases_that_never_expire: lease::NeverExpires;
    /// T10, Q24
    q24 a_renewal_that_extends_nothing: lease::RenewsNothing;
    /// T10, Q24
    q24 a_record_with_the_first_end_of_a_lease: lease::ShowsFirstEnd;
    /// T10, Q25
    q25 a_renewal_that_never_says_lost: lease::NeverLost;
    /// T10, Q26
    q26 a_settlement_without_a_fence: lease::NoFence;
    /// T10, Q27
    q27 a_second_settlement_that_says_applied: lease::AlwaysApplied;
    /// T10, Q28
    q28 an_expired_job_delivered_twice: lease::RaceAtExpiry;
    /// T10, Q29
    q29 one_attempt_too_many: lease::OneMoreAttempt;
    /// T10, Q30
    q30 the_attempt_as_a_fence: lease::AttemptAsFence;
    /// T10, Q31
    q31 complete_that_cancels: settle::CompleteCancels;
    /// T10, Q32
    q32 a_retry_that_forgets_the_error: settle::RetryForgets;
    /// T10, Q33
    q33 a_snooze_that_counts: settle::SnoozeCounts;
    /// T10, Q34
    q34 a_release_that_counts: settle::ReleaseCounts;
    /// T10, Q35
    q35 a_discarded_payload_thrown_away: settle::DiscardedPayloadGone;
    /// T10, Q36
    q36 a_cancel_without_its_reason: settle::CancelForgets;
    /// T10, Q37
    q37 one_stale_settlement_refuses_the_batch: settle::AllOrNothing;
    /// T10, Q38
    q38 followups_stored_beforehand: settle::FollowupsFirst;
    /// T10, Q38
    q38 followups_stored_after_the_whole_batch: settle::FollowupsLast;
    /// T10, Q105
    q105 followups_stored_after_all_discards: settle::FollowupsLast;
    /// T10, Q38
    q38 followups_of_completed_jobs_only: settle::FollowupsOfCompletedOnly;
    /// T10, Q39
    q39 newest_errors_first: settle::NewestErrorsFirst;
    /// T10, Q94
    q94 a_snooze_that_forgets_the_error: settle::SnoozeForgets;
    /// T10, Q94
    q94 a_snooze_with_an_error_that_counts: settle::SnoozeWithErrorCounts;
    /// T10, Q83
    q83 a_result_that_is_forgotten: results::ResultForgotten;
    /// T10, Q83
    q83 results_stored_apart: results::ResultsApart;
    /// T10, Q84
    q84 a_wait_that_looks_twice: results::EndMissed;
    /// T10, Q84
    q84 a_wait_for_all_jobs: results::WaitsForAll;
    /// T10, Q85
    q85 a_wait_for_jobs_that_are_gone: results::WaitsForTheGone;
    /// T10, Q86
    q86 progress_that_is_forgotten: results::ProgressForgotten;
    /// T10, Q86
    q86 progress_that_outlives_its_lease: results::ProgressApart;
    /// T10, Q105
    q105 on_discard_dropped_at_the_push: discard::DropsOnDiscard;
    /// T10, Q105
    q105 a_stale_discard_that_stores_its_job: discard::StoresOnStaleDiscards;
    /// T10, Q105
    q105 the_default_of_a_claim_ignored: discard::IgnoresDefaults;
    /// T10, Q106
    q106 an_expiry_that_is_not_reported: discard::ReportsNoExpiry;
    /// T10, Q40
    q40 a_renewal_that_hides_the_cancel: operate::CancelUntold;
    /// T10, Q41
    q41 an_executing_job_retried: operate::RetriesAnything;
    /// T10, Q42
    q42 an_executing_job_deleted: operate::DeletesAnything;
    /// T10, Q43
    q43 a_pause_without_effect: operate::NeverPauses;
    /// T10, Q44
    q44 executing_jobs_counted_as_available: operate::CountsExecutingAsAvailable;
    /// T10, Q45
    q45 an_unknown_id_as_an_error: operate::UnknownIsAnError;
    /// T10, Q46
    q46 pages_by_offset: operate::PagesByOffset;
    /// T10, Q47
    q47 a_prune_without_bound: operate::PrunesEverything;
    /// T10, Q87
    q87 a_summary_of_the_next_job_to_claim: summary::OldestIsNextToClaim;
    /// T10, Q87
    q87 a_summary_that_counts_past_the_cap: summary::CountsPastTheCap;
    /// T10, Q88
    q88 one_reason_of_several: explain::FirstReasonOnly;
    /// T10, Q88
    q88 a_reason_that_is_not_true: explain::AlwaysPaused;
    /// T10, Q88
    q88 a_limit_that_is_no_reason: explain::LimitsForgotten;
    /// T10, Q100
    q100 a_worker_kept_after_its_lease: workers::WorkerKept;
    /// T10, Q101
    q101 workers_that_vanish_at_once: workers::OnlyLiveWorkers;
    /// T10, Q101
    q101 announcements_that_stay: workers::NeverLeaves;
    /// T10, Q107
    q107 a_history_of_the_jobs_that_are_kept: history::CountsKeptJobs;
    /// T10, Q107
    q107 discards_that_are_no_failures: history::DiscardsDoNotFail;
    /// T10, Q108
    q108 steps_that_begin_at_since: history::StepsBeginAtSince;
    /// T10, Q108
    q108 rows_without_an_attempt: history::EmptyRows;
    /// T10, Q109
    q109 a_history_kept_for_ever: history::KeepsForEver;
    /// T10, Q109
    q109 a_minute_forgotten_early: history::ForgetsEarly;
    /// T10, Q95
    q95 newest_first_within_each_page: list::NewestWithinThePage;
    /// T10, Q95
    q95 a_cursor_of_any_list: list::CursorsOfAnyList;
    /// T10, Q96
    q96 meta_by_its_key: list::MetaByKey;
    /// T10, Q114
    q114 a_search_that_cannot_go_on: list::EndsWithTheSearch;
    /// T10, Q97
    q97 a_change_without_its_filter: bulk::IgnoresTheFilter;
    /// T10, Q97
    q97 a_change_that_counts_every_id: bulk::CountsEveryId;
    /// T10, Q110
    q110 an_import_as_a_push: import::ImportsAsNew;
    /// T10, Q110
    q110 an_import_that_forgets_the_errors: import::ErrorsForgotten;
    /// T10, Q111
    q111 an_import_that_overwrites: import::Overwrites;
    /// T10, Q111
    q111 an_import_job_by_job: import::JobByJob;
    /// T10, Q112
    q112 an_import_without_its_key: import::KeyForgotten;
    /// T10, Q112
    q112 an_import_that_takes_every_key: import::TakesEveryKey;
    /// T10, Q113
    q113 a_key_that_every_job_holds: import::EveryKeyHeld;
    /// T10, Q115
    q115 one_job_more_than_the_limit: limits::OneMore;
    /// T10, Q115
    q115 a_claim_that_fills_its_buffer: limits::FillsTheBuffer;
    /// T10, Q116
    q116 a_settlement_that_wakes_no_claim: limits::SettlementsWakeNoClaim;
    /// T10, Q117
    q117 a_token_bucket: limits::TokenBucket;
    /// T10, Q118
    q118 a_claim_that_waits_for_jobs_only: limits::WaitsForJobsOnly;
    /// T10, Q119
    q119 a_full_partition_in_front_of_all: partitions::FirstJobHoldsUpAll;
    /// T10, Q120
    q120 deliveries_grouped_by_partition: partitions::Grouped;
    /// T10, Q120
    q120 weights_without_effect: limits::NoWeights;
    /// T10, Q121
    q121 a_declaration_that_takes_back_what_was_set: limits::DeclarationsTakeBack;
    /// T10, Q122
    q122 a_throttle_as_a_snooze: partitions::ThrottleSnoozes;
    /// T10, Q123
    q123 a_counter_that_no_expiry_decreases: partitions::CountsUntilSettled;
    /// T10, Q124
    q124 a_filter_without_the_partition: partitions::ListsAllPartitions;
    /// T10, Q124
    q124 names_in_small_letters: partitions::SmallLetters;
    /// T10, Q48
    q48 keys_within_a_queue: room::KeysWithinAQueue;
    /// T10, Q49
    q49 keys_looked_up_before_the_push: room::KeysLookedUpBefore;
    /// T10, Q50
    q50 keys_held_for_ever: room::KeysHeldForEver;
    /// T10, Q51
    q51 replace_that_keeps: room::ReplaceKeeps;
    /// T10, Q58
    q58 followups_before_their_parents_end: room::FollowupsMeetTheKey;
    /// T10, Q58
    q58 followups_without_their_key: room::FollowupsWithoutKeys;
    /// T10, Q91
    q91 non_finite_numbers_stored_as_null: edges::NotFiniteAsNull;
    /// T10, Q92
    q92 long_texts_cut_without_a_note: edges::CutWithoutNote;
    /// T10, Q92
    q92 long_texts_refused: edges::LongTextsRefused;
    /// T10, Q93
    q93 an_endless_lease_that_overflows: edges::LeaseOverflows;
    /// T10, Q52
    q52 a_batch_larger_than_the_bound_that_waits: room::TooLargeWaits;
    /// T10, Q53
    q53 a_try_push_that_waits: room::TryPushWaits;
    /// T10, Q54
    q54 a_push_that_outlives_its_caller: room::PushOutlivesItsCaller;
    /// T10, Q57
    q57 followups_that_wait_for_room: room::FollowupsWait;
    /// T10, Q55
    q55 renewals_of_thirty_seconds: lease::RenewsByTheDefault;
    /// T10, Q55
    q55 random_deliveries_grouped_by_partition: partitions::Grouped;
    /// T10, Q55
    q55 a_counter_that_no_random_expiry_decreases: partitions::CountsUntilSettled;
    /// T10, Q56
    q56 one_job_more_than_the_limit_among_many: limits::OneMore;
    /// T10, Q56
    q56 a_token_bucket_among_many: limits::TokenBucket;
    /// T10, Q56
    q56 a_delivery_made_twice_among_many: claim::DeliversTwice;
}

/// T10: A law that does not exist does not pass.
#[test]
fn an_unknown_law_is_an_error() {
    let error = check("q999", async || ModelQueue::new()).expect_err("there is no such law");

    assert!(error.contains("q999"), "the error must name the law: {error}");
}

/// T10, Q55: The report of a failing sequence has its seed, and the sequence is shrunk.
#[test]
fn a_random_sequence_that_fails_is_shown_short_and_with_its_seed() {
    let found = check_within("q55", PATIENCE, async || Broken::<lease::RenewsByTheDefault>::new());

    let message = found.expect_err("the suite passed a broken queue");
    assert!(message.contains("`QUEUE_CONFORMANCE_SEED="), "the message must say how to repeat it: {message}");
    let calls =
        message.lines().filter(|line| line.trim_start().starts_with(|first: char| first.is_ascii_digit()));
    let calls = calls.count();
    assert!(
        (3..=6).contains(&calls),
        "a push, a claim and a renewal are enough, and {calls} calls were shown: {message}"
    );
}

/// T10, Q17: A call that fails in a task of the law is reported with the step and the error.
#[test]
fn a_claim_that_fails_beside_others_is_reported_with_its_error() {
    let found = check_within("q17", PATIENCE, async || Broken::<claim::NinthClaimFails>::new());

    let message = found.expect_err("the suite passed a broken queue");
    assert!(message.starts_with("the queue breaks law Q17: "), "{message}");
    assert!(message.contains("a claim beside those of seven others failed: "), "{message}");
    assert!(message.contains("the ninth claim"), "{message}");
}
