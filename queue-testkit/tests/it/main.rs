//! Checks the testkit itself: its kit, its explorer and its simulations.

mod determinism;
mod explore;
mod fleet;
mod kit_test;
mod lanes;
mod replay;
