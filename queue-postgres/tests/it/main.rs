//! Holds the PostgreSQL queue to the laws, and to what its own documentation promises.

mod conformance;
mod fixture;
