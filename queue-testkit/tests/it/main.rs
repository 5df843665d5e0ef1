//! Checks the testkit itself: its kit, its explorer and its simulations.

mod blocking;
mod database;
mod determinism;
mod explore;
mod fleet;
mod guide;
mod kit_test;
mod lanes;
mod limits;
mod mistakes;
mod over;
mod replay;
mod units;
