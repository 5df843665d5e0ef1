//! The pages. Each reads its content and renders it.

pub(crate) mod enqueue;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod names;
pub(crate) mod overview;
pub(crate) mod schedules;
pub(crate) mod workers;
