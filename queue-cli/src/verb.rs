//! The verbs: one file for each, with its options and what it does.

mod cancel;
mod check;
mod completions;
mod delete;
mod doctor;
mod export;
mod list;
mod migrate;
mod move_jobs;
mod pause;
mod push;
mod resume;
mod retry;
mod show;
mod status;
mod top;
mod wait;
mod why;

pub(crate) use cancel::Cancel;
pub(crate) use check::Check;
pub(crate) use completions::Completions;
pub(crate) use delete::Delete;
pub(crate) use doctor::Doctor;
pub(crate) use export::Export;
pub(crate) use list::List;
pub(crate) use migrate::Migrate;
pub(crate) use move_jobs::Move;
pub(crate) use pause::Pause;
pub(crate) use push::Push;
pub(crate) use resume::Resume;
pub(crate) use retry::Retry;
pub(crate) use show::Show;
pub(crate) use status::Status;
pub(crate) use top::Top;
pub(crate) use wait::Wait;
pub(crate) use why::Why;
