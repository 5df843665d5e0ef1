//! The tests of cron expressions.

mod mistakes;
mod times;
mod words;
