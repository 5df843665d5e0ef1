//! Holds the suite of durable queues to finding bugs (T10): for each law, a store with a bug that breaks it.
//!
//! D2 is about servers, so queue-postgres has the store that breaks it.

mod batches;
mod broken;
mod faults;
mod handle;
mod processes;
mod transactions;

use std::time::Duration;

use queue_conformance::durable::check_within;

use broken::Broken;

/// Creates a test for each bug, named for the bug.
macro_rules! bugs {
    ($($(#[$doc:meta])* $law:ident within $seconds:literal s, $name:ident: $bug:ty;)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                let test = concat!(module_path!(), "::", stringify!($name));
                let patience = Duration::from_secs($seconds);

                let found = check_within(test, stringify!($law), patience, async |address: Option<String>| {
                    Broken::<$bug>::at(address)
                });

                let message = found.expect_err("the suite did not find the bug");
                let number = stringify!($law).split('_').next().unwrap_or_default().to_uppercase();
                let named = format!("the queue breaks law {number}: ");
                assert!(message.starts_with(&named), "the message must name the law: {message}");
                assert!(message.contains(<$bug as broken::Bug>::MESSAGE), "the message must say what is wrong: {message}");
            }
        )*

        /// T10: There is a broken store for each law.
        #[test]
        fn each_law_has_a_store_that_breaks_it() {
            let broken = [$(stringify!($law)),*];

            for law in queue_conformance::durable::laws() {
                let number = law.split('_').next().unwrap_or_default();
                let is_broken = broken.contains(&number) || number == "d2";
                assert!(is_broken, "no broken store shows that the suite notices a violation of {law}");
            }
        }
    };
}

bugs! {
    /// T10, D1
    d1 within 20 s, a_push_acknowledged_before_it_is_stored: processes::AcknowledgesFirst;
    /// T10, D3
    d3 within 20 s, a_batch_stored_job_by_job: processes::JobByJob;
    /// T10, D4
    d4 within 8 s, a_handle_that_fails_forever_after_one_error: faults::NeverRecovers;
    /// T10, D5
    d5 within 20 s, jobs_completed_when_they_are_claimed: processes::CompletesAtClaim;
    /// T10, D6
    d6 within 20 s, a_claim_that_ignores_leases_of_other_processes: processes::IgnoresOtherLeases;
    /// T10, D7
    d7 within 20 s, tables_emptied_by_each_process_that_found_none: processes::EmptiesTables;
    /// T10, D8
    d8 within 20 s, a_file_that_is_not_a_database_replaced_by_a_new_one: faults::OpensAnotherFile;
    /// T10, D9
    d9 within 20 s, leases_by_the_clock_of_the_client: faults::ClientClock;
    /// T10, D10
    d10 within 20 s, an_upgrade_that_loses_a_job: faults::LosesOnUpgrade;
    /// T10, D11
    d11 within 20 s, a_push_outside_the_transaction: transactions::PushesOutside;
    /// T10, D12
    d12 within 20 s, effects_and_completion_in_two_commits: transactions::TwoCommits;
    /// T10, D13
    d13 within 3 s, a_claim_that_only_listens: faults::OnlyListens;
    /// T10, D14
    d14 within 20 s, a_push_that_is_retried_after_it_failed: faults::RetriesAfterError;
    /// T10, D26
    d26 within 20 s, a_transaction_that_locks_the_file_to_read: transactions::LocksToRead;
    /// T10, D26
    d26_a_caller_that_waits_for_a_key_holds_up_no_other_of_its_process within 20 s,
        a_batch_in_which_all_calls_wait_for_one_key: batches::SharesBatches;
    /// T10, D28
    d28 within 20 s, a_push_to_a_removed_file_that_is_acknowledged: faults::AcknowledgesErrors;
    /// T10, D31
    d31 within 20 s, a_settlement_that_is_refused_for_its_text: faults::StoresOnlyAscii;
    /// T10, D36
    d36 within 20 s, a_claim_that_ignores_limits: faults::IgnoresLimits;
    /// T10, D37
    d37 within 20 s, limits_that_each_process_reads_once: faults::ReadsLimitsOnce;
}
