//! The laws that bind every queue, as tests that any backend can run.
//!
//! A backend writes one line and gets one named test for each law, also for laws that are added later:
//!
//! ```
//! # mod tests {
//! use queue_testkit::ModelQueue;
//!
//! queue_conformance::conformance!(async || ModelQueue::new());
//! # }
//! ```
//!
//! The closure creates a [`Fixture`], the queue under test.
//! It is called at least once for each law, so no two laws share a queue.
//! Two suites in one file need a `mod` each, because the tests have the names of the laws.
//!
//! A law moves the fixture's clock and waits for events; it never sleeps.
//! The last laws, `q55` and `q56`, read these environment variables:
//!
//! - `QUEUE_CONFORMANCE_SEQUENCES`: the number of random sequences of operations that are compared with the model, by default the fixture's.
//! - `QUEUE_CONFORMANCE_SEED`: the seed of the first sequence, to repeat a failure.

mod bulk;
mod capacity;
mod claim;
mod clients;
mod discard;
mod edges;
mod explain;
mod factory;
mod fairness;
mod harness;
mod history;
mod import;
mod inspect;
pub(crate) mod jobs;
mod lease;
mod limit_changes;
mod limited;
mod limits;
mod list;
mod model;
mod operate;
mod order;
mod partitions;
mod payload;
mod progress;
mod push;
mod rates;
mod results;
mod schedule;
mod settle;
mod summary;
mod throttle;
mod unique;
mod usage;
mod waiter;
mod waiting;
mod workers;

use std::future::Future;
use std::time::Duration;

use crate::Fixture;
use crate::law::{self, LastStep, Law, PATIENCE, Steps, laws};
use factory::FixtureFactory;
use harness::QueueHarness;

/// How long, in real time, a law may take. Only a law that hangs takes this long, so there is ample time on slow machines.
const LAW_GUARD: Duration = Duration::from_secs(60);

laws! {
    /// Generates one test for each law of every queue, from a closure that creates a fresh [`Fixture`](crate::Fixture).
    ///
    /// See the module [`conformance`](mod@crate::conformance).
    suite = conformance, module = conformance, harness = QueueHarness, {
    push {
        q1_a_batch_gets_receipts_in_order_and_each_job_is_stored_as_pushed,
        q2_a_batch_with_an_invalid_job_is_refused_whole_and_the_error_says_why,
        q3_pushing_a_known_id_again_changes_nothing_and_gives_the_same_receipt,
        q4_an_empty_batch_succeeds_and_touches_nothing,
        q5_a_dropped_push_leaves_the_whole_batch_or_none_of_it,
    }
    payload {
        q6_payloads_and_meta_come_back_byte_for_byte,
        q7_a_closure_is_delivered_or_refused_with_what_to_use_instead,
    }
    order {
        q8_one_claimer_sees_equal_jobs_in_push_order,
        q9_lower_priority_then_earlier_run_at_then_push_order,
        q10_a_claim_gets_jobs_of_the_queues_it_names_in_that_order,
        q11_a_retried_job_is_ordered_by_its_new_time_and_a_released_one_keeps_its_place,
    }
    schedule {
        q12_a_job_is_delivered_at_its_time_and_never_before,
        q13_a_time_that_is_past_means_now,
        q14_an_earlier_job_shortens_a_wait_that_was_set_for_a_later_one,
        q15_a_hundred_years_ahead_is_stored_and_the_edge_of_time_is_no_panic,
    }
    claim {
        q16_a_claim_leases_up_to_max_jobs_in_order,
        q17_many_claimers_get_each_job_once,
        q18_dropping_a_waiting_claim_loses_no_job_and_no_wake_up,
        q19_a_claim_on_an_empty_queue_waits_as_long_as_it_said_and_does_not_spin,
        q20_pushes_wake_as_many_waiters_as_needed_first_come_first_served,
        q21_a_claim_on_several_queues_wakes_for_any_of_them,
        q22_after_close_pushes_and_claims_are_refused_and_leases_still_settle,
        q61_a_claim_that_is_stopped_answers_at_once_and_loses_no_lease,
    }
    lease {
        q23_a_lease_is_lost_once_it_has_expired,
        q24_a_renewed_lease_outlives_its_first_expiry,
        q25_renewing_a_lost_lease_says_so_and_revives_nothing,
        q26_settling_under_a_lost_lease_is_stale_and_changes_nothing,
        q27_settling_twice_is_stale_the_second_time,
        q28_of_claimers_racing_at_an_expiry_one_wins,
        q29_a_lease_that_expires_on_the_last_attempt_discards_the_job,
        q30_fences_only_grow,
    }
    settle {
        q31_complete_ends_the_job,
        q32_retry_delivers_again_at_its_time_and_keeps_the_error,
        q33_snooze_delivers_again_at_its_time_with_the_same_attempt,
        q34_release_makes_the_job_available_at_once_and_uncounted,
        q35_discard_keeps_the_job_for_inspection,
        q36_cancel_ends_the_job_with_the_reason,
        q37_settlements_of_a_batch_are_independent,
        q38_followups_are_stored_if_and_only_if_the_transition_applied,
        q39_the_history_of_errors_is_bounded_and_keeps_the_newest,
        q94_a_snooze_with_an_error_keeps_it_and_uses_up_no_attempt,
    }
    results {
        q83_a_result_is_stored_if_and_only_if_its_completion_is,
    }
    waiting {
        q84_a_wait_for_the_end_of_jobs_misses_no_end,
        q85_a_wait_for_a_job_that_is_gone_ends_at_once,
    }
    progress {
        q86_the_latest_progress_is_shown_until_the_lease_ends,
    }
    discard {
        q105_a_discard_stores_the_job_that_it_names,
        q106_each_job_discarded_by_an_expiry_is_reported_once,
    }
    operate {
        q40_cancel_ends_a_waiting_job_and_asks_an_executing_one,
        q41_an_operators_retry_makes_a_finished_job_available_again,
        q42_delete_removes_any_job_but_an_executing_one,
        q43_a_paused_queue_delivers_nothing_until_it_is_resumed,
    }
    inspect {
        q44_counts_are_exact_at_rest,
        q45_an_unknown_id_is_none,
        q46_pages_neither_miss_nor_repeat_a_job,
        q47_prune_removes_old_finished_jobs_in_bounded_batches,
    }
    list {
        q95_a_list_has_its_order_and_a_cursor_continues_only_its_own_list,
        q96_each_filter_selects_exactly_the_jobs_that_match,
        q114_a_search_with_a_limit_misses_and_repeats_no_job,
    }
    bulk {
        q97_a_bulk_change_affects_exactly_the_jobs_that_matched_when_it_began,
    }
    import {
        q110_an_imported_job_is_as_it_was_in_its_store,
        q111_a_second_import_of_a_job_changes_nothing,
        q112_an_imported_job_holds_its_key_if_no_other_does,
        q113_a_record_says_whether_its_job_holds_its_key,
    }
    summary {
        q87_a_summary_is_exact_at_rest_and_its_counts_stop_at_the_cap,
    }
    history {
        q107_the_history_counts_each_end_of_an_attempt_once,
        q108_steps_of_the_history_add_up_and_a_request_selects_whole_steps,
        q109_a_minute_of_the_history_is_forgotten_after_24_hours,
    }
    explain {
        q88_an_explanation_has_every_true_reason_and_no_other,
    }
    workers {
        q100_a_lease_has_the_worker_that_its_claim_named,
        q101_workers_are_listed_while_they_run_and_for_an_hour_after_they_vanished,
    }
    unique {
        q48_a_held_key_keeps_a_second_job_out,
        q49_of_many_pushes_of_a_key_one_is_stored,
        q50_a_key_is_free_after_its_job_finished,
        q51_replace_updates_a_job_that_has_not_started_and_follows_one_that_has,
        q58_a_followup_may_take_the_key_that_its_parents_end_frees,
    }
    limits {
        q115_no_more_jobs_run_than_a_limit_allows,
        q116_what_ends_a_lease_frees_its_place_and_wakes_a_claim,
    }
    limit_changes {
        q121_limits_change_while_jobs_run_and_are_remembered,
    }
    rates {
        q117_no_window_has_more_starts_than_a_rate_allows,
        q118_a_claim_wakes_when_a_rate_or_a_hold_allows_the_next_start,
    }
    fairness {
        q119_a_partition_at_its_limit_holds_up_no_other,
        q120_the_partition_with_the_fewest_running_jobs_for_its_weight_is_served_next,
    }
    throttle {
        q122_a_throttle_holds_the_partition_of_its_job,
    }
    usage {
        q123_usage_at_rest_has_the_number_of_live_leases,
    }
    partitions {
        q124_a_job_keeps_its_partition_and_a_filter_selects_by_it,
    }
    edges {
        q91_numbers_that_are_not_finite_are_refused,
        q92_long_texts_are_cut_with_a_note_of_their_size,
        q93_the_longest_durations_are_no_error_and_no_panic,
    }
    capacity {
        q52_a_bounded_push_waits_for_room,
        q53_try_push_on_a_full_queue_is_full_at_once,
        q54_a_dropped_push_leaks_no_room_and_waiting_ones_go_in_order,
        q57_followups_never_wait_for_room,
    }
    model {
        q55_random_operations_answer_as_the_model_does,
        q56_a_history_of_many_clients_obeys_the_contract,
    }
}
}

/// Checks a queue against one law, given by its number (`"q23"`) or its whole name.
///
/// Blocks the thread and starts its own runtime, so it must not be called inside of another one.
///
/// # Errors
///
/// If the queue breaks the law: the error names the expected and the actual result. Also if there is no such law.
pub fn check<M, F, Q>(law: &str, factory: M) -> Result<(), String>
where
    M: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Q> + Send + 'static,
    Q: Fixture,
{
    check_within(law, PATIENCE, factory)
}

/// Checks a queue against one law, and waits for each event for `patience` of real time instead of 20 s.
///
/// # Errors
///
/// Those of [`check`].
pub fn check_within<M, F, Q>(law: &str, patience: Duration, factory: M) -> Result<(), String>
where
    M: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Q> + Send + 'static,
    Q: Fixture,
{
    let law = law::find(LAWS, law)?;
    let step = LastStep::default();
    let steps = Steps::new(step.clone(), patience);
    let guard = if takes_its_time(law) { Duration::MAX } else { LAW_GUARD };
    law::run(law.name, guard, &step, async move {
        let harness = QueueHarness::new(FixtureFactory::new(factory), steps).await;
        (law.run)(&harness).await;
    })
}

/// Returns whether an environment variable sets how long a law runs. Each part of such a law has its own time limit.
fn takes_its_time(law: &Law<QueueHarness>) -> bool {
    law.name.starts_with("q55_")
}

/// Checks a queue against one law, as a test does.
///
/// # Panics
///
/// If [`check`] returns an error.
pub fn run<M, F, Q>(law: &str, factory: M)
where
    M: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Q> + Send + 'static,
    Q: Fixture,
{
    if let Err(message) = check(law, factory) {
        panic!("{message}");
    }
}

/// The body of the tests that [`conformance!`](crate::conformance!) generates. All laws run within the process.
#[doc(hidden)]
pub fn run_as<M, F, Q>(_test: &str, law: &str, factory: M)
where
    M: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Q> + Send + 'static,
    Q: Fixture,
{
    run(law, factory);
}
