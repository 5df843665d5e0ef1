//! The inputs of an exploration: what a set-up and an invariant may return.

use std::fmt::Display;

use crate::kit::TestKit;

/// The value that a set-up returns: a kit, alone or with the state that the invariant reads.
pub trait HasKit {
    /// Returns the kit.
    fn kit(&self) -> &TestKit;
}

impl HasKit for TestKit {
    fn kit(&self) -> &TestKit {
        self
    }
}

impl<T> HasKit for (TestKit, T) {
    fn kit(&self) -> &TestKit {
        &self.0
    }
}

/// The value that an invariant returns: nothing, or a result. An invariant that doesn't hold returns an error or panics.
pub trait Verdict {
    /// Converts the value to a result.
    ///
    /// # Errors
    ///
    /// If the invariant is broken.
    fn verdict(self) -> Result<(), String>;
}

impl Verdict for () {
    fn verdict(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> Verdict for Result<(), E> {
    fn verdict(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
