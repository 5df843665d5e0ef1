//! Functions that see each job before it is stored.

use std::fmt;
use std::sync::Arc;

use crate::contract::job::NewJob;

/// A function that may change a job before it is stored.
type Hook = Arc<dyn Fn(&mut NewJob) + Send + Sync>;

/// The functions that see each job before a queue stores it, in order: in a push, and in a push in an application's own
/// transaction. They do not see followups.
#[derive(Clone, Default)]
pub struct PushHooks(Vec<Hook>);

impl PushHooks {
    /// Adds a function.
    pub fn add(&mut self, hook: impl Fn(&mut NewJob) + Send + Sync + 'static) {
        self.0.push(Arc::new(hook));
    }

    /// Returns whether there is no function.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Passes each job to all functions.
    pub fn run(&self, jobs: &mut [NewJob]) {
        for job in jobs {
            self.0.iter().for_each(|hook| hook(job));
        }
    }
}

impl fmt::Debug for PushHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushHooks({})", self.0.len())
    }
}
