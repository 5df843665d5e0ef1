//! Checks that the PostgreSQL queue keeps the laws and its own documentation.

mod conformance;
mod crashes;
mod credentials;
mod dead_connections;
mod direct_pushes;
mod doubt;
mod durable;
mod extremes;
mod fixture;
mod full_of_notifications;
mod held_up;
mod integrity;
mod leaks;
mod locks;
mod logs;
mod notifications;
mod open_transaction;
mod opening;
mod overview;
mod plans;
mod pooler;
mod privileges;
mod retention;
mod scan_hints;
mod schema;
mod sizes;
mod standing_still;
#[cfg(feature = "rustls")]
mod tls;
mod transactions;
mod trouble;
mod unit_of_work_connections;
mod units;
mod versions;
mod waiting;
mod way;
