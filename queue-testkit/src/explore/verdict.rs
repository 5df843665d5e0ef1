//! What an exploration is given: worlds to run, and an invariant to hold them to.

use std::fmt::Display;

use crate::kit::TestKit;

/// What a set-up makes: a kit, alone or with what the invariant is asked of.
pub trait HasKit {
    /// Gives the kit.
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

/// What an invariant says: nothing if it holds or panics, or an error if it doesn't hold.
pub trait Verdict {
    /// Gives it as a result.
    ///
    /// # Errors
    ///
    /// What is broken.
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
