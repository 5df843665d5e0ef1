//! Holds the servers that tests use to what their documentation says.

mod postgres;
mod proxy;
