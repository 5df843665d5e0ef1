//! The laws of the testkit over a store, as tests that any backend can run.
//!
//! A backend whose queue can be opened with a clock for tests writes one line and gets one named test for each law:
//!
//! ```
//! # mod tests {
//! use queue_testkit::ModelQueue;
//!
//! queue_conformance::kit_conformance!(async || ModelQueue::new());
//! # }
//! ```
//!
//! The closure creates a fresh, empty queue, whose clock starts at [`VirtualClock::START`](queue_testkit::VirtualClock::START) and
//! moves only by [`Admin::test_clock`]. The queue must keep finished jobs.
//! It is called at least once for each law.

mod blocking;
mod crashes;
mod faults;
mod harness;
mod jobs;
mod limits;
mod order;
mod reports;
mod runtimes;
mod time;

use std::future::Future;
use std::time::Duration;

use queue_core::Admin;

use crate::law::{self, LastStep, laws};
use harness::KitHarness;

/// How long, in real time, a law may take.
const LAW_GUARD: Duration = Duration::from_secs(60);

laws! {
    /// Generates one test for each law of the testkit over a store, from a closure that creates a fresh queue.
    ///
    /// See the module [`kit`](mod@crate::kit).
    suite = kit_conformance, module = kit, harness = KitHarness, {
    order {
        t1_the_same_seed_gives_the_same_trace,
        t2_another_seed_permutes_the_order_only,
        t16_kits_share_no_state,
    }
    time {
        t3_retries_delays_and_leases_pass_without_waiting,
        t4_a_run_ends_when_nothing_is_due_and_says_what_waits,
        t22_time_within_an_attempt_is_real,
        t23_virtual_time_passes_within_an_attempt,
        t28_a_run_waits_for_a_lease_of_any_length,
    }
    limits {
        t30_limits_hold_in_the_time_of_a_kit,
        t30_a_throttled_partition_waits_in_the_time_of_a_kit,
    }
    reports {
        t5_payloads_are_encoded_and_decoded,
        t6_jobs_end_as_they_do_in_the_model,
        t7_a_failed_assertion_shows_the_nearest_job,
        t11_a_failed_job_replays,
        t13_enqueued_by_sees_the_jobs_of_the_block,
        t14_a_recorder_waits_for_events,
        t15_expect_success_shows_every_error,
    }
    faults {
        t8_no_fault_loses_a_job,
    }
    crashes {
        t9_a_crash_that_breaks_an_invariant_is_named_by_its_line,
    }
    runtimes {
        t12_the_kit_works_from_any_runtime_and_from_none,
    }
    blocking {
        t24_a_blocking_job_has_the_handle_of_the_runtime,
    }
}
}

/// Checks a queue against one law, given by its number (`"t3"`) or its whole name.
///
/// Blocks the thread and starts its own runtime, so it must not be called inside of another one.
///
/// # Errors
///
/// If the kit breaks the law over this queue. Also if there is no such law.
pub fn check<M, F, Q>(law: &str, make: M) -> Result<(), String>
where
    M: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Q> + Send + 'static,
    Q: Admin,
{
    let law = law::find(LAWS, law)?;
    let step = LastStep::default();
    law::run(law.name, LAW_GUARD, &step, async move {
        (law.run)(&KitHarness::new(make)).await;
    })
}

/// The body of the tests that [`kit_conformance!`](crate::kit_conformance!) generates.
#[doc(hidden)]
pub fn run_as<M, F, Q>(_test: &str, law: &str, make: M)
where
    M: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Q> + Send + 'static,
    Q: Admin,
{
    if let Err(message) = check(law, make) {
        panic!("{message}");
    }
}
