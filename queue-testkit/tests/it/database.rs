//! Each test has a database of its own, which ends with the test.

mod postgres;
mod sqlite;
