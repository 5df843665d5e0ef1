//! Helpers for backends, hosted loops and test tools. A program that only has jobs does not need them.
//!
//! Nothing here knows a store, a runtime or a clock: time is an argument. A backend uses the items that fit its store:
//!
//! | for | items |
//! | --- | --- |
//! | requests | [`CloseFlag`], [`Intake`], [`PushHooks`], [`SupportedRequests`], [`check_demand`], [`check_delays`], [`delay_overflow`], [`job_in_batch`] |
//! | jobs as text | [`Encoded`], [`encode`], [`encode_followups`], [`encode_imports`], [`JobPast`] |
//! | values in columns | [`to_i64`], [`to_u64`], [`to_u32`], [`read_state`], [`read_meta`], [`state_bits`], [`JobValues`] |
//! | answers of tasks and threads | [`Reply`], [`Answer`] |
//! | claims that wait | [`Waiters`], [`PendingClaim`], [`ServedClaim`], [`Handover`], [`MAX_WAKEUP`] |
//! | calls that share a commit | [`Linger`], [`LingerWindow`] |
//! | finished jobs | [`RetentionPeriods`], [`PruneSchedule`], [`ExpiryFeed`], [`ExpiredJob`], [`Subscription`] |
//! | lists, and waits for the end of jobs | [`PageQuery`], [`SearchEnd`], [`Place`], [`Rank`], [`has_ended`], [`PollPauses`] |
//! | the announcements of workers | [`AnnouncementReader`] |
//! | the history | [`HistoryRows`], [`Tally`], [`minute_of`] |
//! | partitions and limits | [`LimitUse`], [`StoredLimits`], [`check_limit`] |
//! | a stored schema | [`Migrations`], [`Migration`], [`SchemaVersion`] |
//! | a unit of work | [`UnitCompletion`] |
//! | a queue around a queue | [`Decorator`], [`AdminDecorator`] |
//! | attempts and retries, for loops | [`Attempt`], [`decide`], [`doubled`], [`jittered`] |
//! | results, for test tools | [`decode_result`] |
//! | messages | [`error_chain`], [`panic_message`], [`readable`] |

mod announcement_reader;
mod close_flag;
mod column;
mod completion;
mod intake;
mod job_values;
mod linger;
mod migrations;
mod poll_pauses;
mod prune_schedule;
mod push_hooks;
mod reply;
mod retention;
mod schema_status;
mod schema_version;
mod supported_requests;
mod waiters;

pub use announcement_reader::AnnouncementReader;
pub use close_flag::CloseFlag;
pub use column::{read_meta, read_state, state_bits, to_i64, to_u32, to_u64};
pub use completion::UnitCompletion;
pub use intake::{Intake, check_demand};
pub use job_values::JobValues;
pub use linger::{Linger, LingerWindow};
pub use migrations::{Migration, Migrations};
pub use poll_pauses::PollPauses;
pub use prune_schedule::PruneSchedule;
pub use push_hooks::PushHooks;
pub use reply::{Answer, Reply};
pub use retention::RetentionPeriods;
pub use schema_status::SchemaStatus;
pub use schema_version::SchemaVersion;
pub use supported_requests::SupportedRequests;
pub use waiters::{MAX_WAKEUP, PendingClaim, ServedClaim, Waiters};

pub use crate::attempt::decide::decide;
pub use crate::attempt::handle::Attempt;
pub use crate::attempt::into_outcome::decode_result;
pub use crate::attempt::readable::readable;
pub use crate::attempt::retry::{doubled, jittered};
pub use crate::contract::cursor::Place;
pub use crate::contract::decorator::{AdminDecorator, Decorator};
pub use crate::contract::delay::{check_delays, delay_overflow};
pub use crate::contract::encoded::{Encoded, encode, encode_followups};
pub use crate::contract::error::{error_chain, panic_message};
pub use crate::contract::expiry_feed::{ExpiredJob, ExpiryFeed, Subscription};
pub use crate::contract::handover::Handover;
pub use crate::contract::history_rows::HistoryRows;
pub use crate::contract::import::{JobPast, encode_imports};
pub use crate::contract::limit_use::LimitUse;
pub use crate::contract::limits::job_in_batch;
pub use crate::contract::page_query::{PageQuery, Rank, SearchEnd};
pub use crate::contract::queue_limits::{StoredLimits, check_limit};
pub use crate::contract::record::has_ended;
pub use crate::contract::tally::{Tally, minute_of};
