//! The laws that bind every durable queue, as tests that any backend can run.
//!
//! [`conformance`](mod@crate::conformance) checks the answers of a queue, under a clock that the suite moves.
//! These laws check how a store bears outages: killed processes and servers, several programs at once, locks, and lost
//! connections. They run under the real clock, and start processes of their own.
//!
//! A backend implements [`Store`], and gets one named test for each law:
//!
//! ```
//! # mod tests {
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use queue_core::{Admin, QueueError};
//! use queue_conformance::durable::Store;
//! # struct MyQueue;
//! # impl MyQueue {
//! #     async fn open(_: &str) -> Result<queue_testkit::ModelQueue, QueueError> {
//! #         Ok(queue_testkit::ModelQueue::new())
//! #     }
//! # }
//! # fn fresh_address() -> String {
//! #     String::new()
//! # }
//!
//! struct MyStore(String);
//!
//! #[async_trait]
//! impl Store for MyStore {
//!     fn address(&self) -> String {
//!         self.0.clone()
//!     }
//!
//!     async fn open(&self) -> Result<Arc<dyn Admin>, QueueError> {
//!         Ok(Arc::new(MyQueue::open(&self.0).await?))
//!     }
//! }
//!
//! // Creates a fresh store for `None`, and returns the store at the address of another process for `Some`.
//! queue_conformance::durable_conformance!(async |address: Option<String>| {
//!     MyStore(address.unwrap_or_else(fresh_address))
//! });
//! # }
//! ```
//!
//! For the processes that are killed, a test starts its own program again. Such a process opens the store at the address
//! that the test passes, does its work, and reports progress on its standard error.
//!
//! Every method of [`Store`] with a default is optional: a queue without a server has no laws about servers.
//! Law D5 kills a dozen processes, and goes on for as many minutes as the environment variable `QUEUE_TORTURE_MINUTES` says.

mod beside;
mod commanded;
mod harness;
mod held;
mod hold;
mod killed;
mod killed_load;
mod limit_changes;
mod limits;
mod opening;
mod operation;
mod outage;
mod process;
mod replaced;
mod sharing;
mod skew;
mod store;
mod text;
mod transaction;
mod unit;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub use operation::{Delays, Operation};
pub use store::{LockCase, OnServer, Open, OpenCase, Outage, PaymentApp, Store, Transaction};

use crate::law::{self, LastStep, PATIENCE, Steps, laws};
use harness::StoreHarness;
use store::Make;

/// How long, in real time, a law may take. Only a law that hangs takes this long.
const LAW_GUARD: Duration = Duration::from_secs(300);

laws! {
    /// Generates one test for each law of every durable queue.
    ///
    /// Takes a closure that creates a fresh [`Store`](crate::durable::Store) for `None`, and returns the store at an address for
    /// `Some`. See the module [`durable`](mod@crate::durable).
    suite = durable_conformance, module = durable, harness = StoreHarness, {
        killed {
            d1_an_acknowledged_push_survives_kill_9_of_its_process,
            d2_an_acknowledged_push_survives_kill_9_of_the_server,
            d3_an_unacknowledged_batch_is_stored_whole_or_not_at_all,
        }
        killed_load {
            d5_workers_killed_in_mid_load_lose_no_job,
        }
        outage {
            d4_an_outage_is_reported_and_service_resumes_after_it,
            d14_a_call_waits_for_a_lock_within_its_bound_and_leaves_no_partial_batch,
        }
        sharing {
            d6_any_number_of_processes_share_one_queue,
            d13_without_notification_jobs_start_within_the_polling_interval,
        }
        opening {
            d7_opening_concurrently_for_the_first_time_migrates_once,
            d8_a_place_that_cannot_be_opened_is_refused_with_a_remedy,
            d10_upgrading_from_each_earlier_schema_keeps_every_job,
        }
        skew {
            d9_a_client_clock_wrong_by_an_hour_changes_nothing,
        }
        transaction {
            d11_a_job_pushed_in_a_transaction_appears_if_and_only_if_it_commits,
        }
        held {
            d26_an_open_transaction_delays_only_callers_that_need_its_key_or_job,
            d26_a_caller_that_waits_for_a_key_holds_up_no_other_of_its_process,
        }
        replaced {
            d28_a_stored_job_is_in_the_queue_of_its_receipt_after_the_store_was_replaced,
        }
        text {
            d31_an_error_text_that_the_store_cannot_hold_is_stored_with_replacements,
        }
        limits {
            d36_limits_survive_a_restart_and_killed_workers,
        }
        limit_changes {
            d37_a_limit_that_another_process_changes_binds_at_once,
        }
        unit {
            d12_a_units_effects_and_its_completion_are_one_commit,
        }
    }
}

/// Checks a store against one law, given by its number (`"d12"`) or its whole name.
///
/// `test` is the whole name of the calling test, with its crate, such as `it::broken::d1`. The law starts this program again
/// with that test alone for each process that it needs. In such a process this call does the process's work and never returns.
///
/// # Errors
///
/// If the store breaks the law, with what was expected and what was found; or if there is no such law.
pub fn check<M, F, S>(test: &str, law: &str, factory: M) -> Result<(), String>
where
    M: Fn(Option<String>) -> F + Send + Sync + 'static,
    F: Future<Output = S> + Send + 'static,
    S: Store,
{
    check_within(test, law, PATIENCE, factory)
}

/// Checks a store against one law. Each wait for an event fails after `patience` of real time; [`check`] uses 20 s.
///
/// # Errors
///
/// Those of [`check`].
pub fn check_within<M, F, S>(test: &str, law: &str, patience: Duration, factory: M) -> Result<(), String>
where
    M: Fn(Option<String>) -> F + Send + Sync + 'static,
    F: Future<Output = S> + Send + 'static,
    S: Store,
{
    let make: Arc<Make> = Arc::new(move |address| {
        let store = factory(address);
        Box::pin(async move {
            let store: Arc<dyn Store> = Arc::new(store.await);
            store
        })
    });
    process::play(&make);
    let law = law::find(LAWS, law)?;
    let step = LastStep::default();
    let steps = Steps::new(step.clone(), patience);
    let test = test.split_once("::").map_or(test, |(_, test)| test).to_owned();
    let guard = LAW_GUARD.saturating_add(killed_load::length().unwrap_or_default());
    law::run(law.name, guard, &step, async move {
        let harness = StoreHarness::new(make, test, steps).await;
        (law.run)(&harness).await;
    })
}

/// The body of the tests that [`durable_conformance!`](crate::durable_conformance!) generates.
#[doc(hidden)]
pub fn run_as<M, F, S>(test: &str, law: &str, factory: M)
where
    M: Fn(Option<String>) -> F + Send + Sync + 'static,
    F: Future<Output = S> + Send + 'static,
    S: Store,
{
    if let Err(message) = check(test, law, factory) {
        panic!("{message}");
    }
}
