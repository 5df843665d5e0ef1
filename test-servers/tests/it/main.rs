//! Checks that the servers do what their documentation says.

mod postgres;
mod proxy;
