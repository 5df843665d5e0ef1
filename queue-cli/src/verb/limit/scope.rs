//! The part of a queue whose limit a verb changes.

use clap::Args;
use queue_core::LimitScope;

/// The part of the queue; without an option, the queue as a whole
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(super) struct ScopeOptions {
    /// Each partition that has no limit of its own
    #[arg(long)]
    each: bool,
    /// One partition; the empty name means the jobs that name none
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
}

impl ScopeOptions {
    pub(super) fn scope(&self) -> LimitScope {
        match &self.partition {
            Some(name) => LimitScope::One(name.as_str().into()),
            None if self.each => LimitScope::Each,
            None => LimitScope::Total,
        }
    }
}
