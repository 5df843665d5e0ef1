//! The laws of schedules.

mod catching_up;
mod changes;
mod cost;
mod declaring;
mod fleet;
mod hosted;
mod instants;
mod kit;
mod looking;
mod operating;
mod overlap;
mod racing;
mod stores;
mod world;
