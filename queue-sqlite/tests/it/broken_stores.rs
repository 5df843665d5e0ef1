//! Holds the suite of durable queues to catching bugs (T10): for each law a store that breaks it, and the suite sees that
//! it does.
//!
//! D2 is about servers, so the store that breaks it is PostgreSQL's.

mod broken;
mod handle;
mod processes;
mod transactions;
mod trips;
mod troubles;

use std::time::Duration;

use queue_testkit::durable::check_within;

use broken::Broken;

/// Makes a test of each flaw, named for the law and the bug.
macro_rules! flaws {
    ($($(#[$doc:meta])* $law:ident within $seconds:literal s, $name:ident: $flaw:ty;)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                let test = concat!(module_path!(), "::", stringify!($name));
                let patience = Duration::from_secs($seconds);

                let found = check_within(test, stringify!($law), patience, async |address: Option<String>| {
                    Broken::<$flaw>::at(address)
                });

                let message = found.expect_err("the suite took the broken store for a right one");
                let number = stringify!($law).split('_').next().unwrap_or_default().to_uppercase();
                let named = format!("the queue breaks law {number}: ");
                assert!(message.starts_with(&named), "the message must name the law: {message}");
                assert!(message.contains(<$flaw as broken::Flaw>::SAYS), "the message must say what is wrong: {message}");
            }
        )*

        /// T10: There is a broken store for each law.
        #[test]
        fn no_law_is_without_a_store_that_breaks_it() {
            let broken = [$(stringify!($law)),*];

            for law in queue_testkit::durable::laws() {
                let number = law.split('_').next().unwrap_or_default();
                let is_broken = broken.contains(&number) || number == "d2";
                assert!(is_broken, "no broken store shows that the suite notices a breach of {law}");
            }
        }
    };
}

flaws! {
    /// T10, D1
    d1 within 20 s, a_push_acknowledged_before_it_is_stored: processes::AnswersFirst;
    /// T10, D3
    d3 within 20 s, a_batch_stored_job_by_job: processes::JobByJob;
    /// T10, D4
    d4 within 8 s, a_handle_that_is_dead_after_one_error: troubles::NeverRecovers;
    /// T10, D5
    d5 within 20 s, jobs_completed_when_they_are_claimed: processes::CompletesAtOnce;
    /// T10, D6
    d6 within 20 s, a_claim_that_overlooks_what_others_hold: processes::OverlooksOthers;
    /// T10, D7
    d7 within 20 s, tables_made_anew_by_each_who_found_none: processes::MakesTablesAnew;
    /// T10, D8
    d8 within 20 s, a_file_that_is_no_database_replaced_by_a_new_one: troubles::MakesAnew;
    /// T10, D9
    d9 within 20 s, leases_by_the_clients_clock: troubles::LeasesByTheClient;
    /// T10, D10
    d10 within 20 s, an_upgrade_that_loses_a_job: troubles::LosesOnUpgrade;
    /// T10, D11
    d11 within 20 s, a_push_outside_of_the_transaction: transactions::PushesAtOnce;
    /// T10, D12
    d12 within 20 s, effects_and_completion_in_two_commits: transactions::TwoCommits;
    /// T10, D13
    d13 within 3 s, a_claim_that_only_listens: troubles::OnlyListens;
    /// T10, D14
    d14 within 20 s, a_push_that_goes_on_after_it_failed: troubles::GoesOn;
    /// T10, D26
    d26 within 20 s, a_transaction_that_locks_the_file_to_read: transactions::LocksToRead;
    /// T10, D26
    d26_a_caller_that_waits_for_a_key_holds_up_no_other_of_its_process within 20 s,
        a_trip_that_waits_for_a_key_with_all_that_shares_it: trips::SharesTrips;
    /// T10, D28
    d28 within 20 s, a_push_to_a_removed_file_that_is_acknowledged: troubles::AnswersAnyway;
    /// T10, D31
    d31 within 20 s, a_settlement_that_is_refused_for_its_text: troubles::KnowsAsciiOnly;
}
