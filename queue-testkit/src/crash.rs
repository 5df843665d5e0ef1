//! A crash of a worker: the points at which it can happen, and the plan that lets it happen at one of them.

mod plan;
mod point;

pub(crate) use plan::Plan;
pub use point::CrashPoint;
