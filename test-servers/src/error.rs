//! Why there is no server.

use std::io;
use std::path::PathBuf;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A program isn't there.
    #[error("`{program}` is not on this machine: {remedy}")]
    Missing {
        /// Its name.
        program: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A program is there and does not what it should.
    #[error("`{program}` failed: {said}")]
    Failed {
        /// Where it is.
        program: PathBuf,
        /// What it said.
        said: String,
    },
    /// A file or a process could not be worked with.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What went wrong.
        source: io::Error,
    },
}

impl ServerError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
