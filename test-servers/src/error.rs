//! The error of starting a server.

use std::io;
use std::path::PathBuf;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A program is not installed.
    #[error("`{program}` is not on this machine: {remedy}")]
    Missing {
        /// Its name.
        program: &'static str,
        /// How to install it.
        remedy: &'static str,
    },
    /// A program failed.
    #[error("`{program}` failed: {said}")]
    Failed {
        /// Its path.
        program: PathBuf,
        /// Its output.
        said: String,
    },
    /// An operation on a file or a process failed.
    #[error("{what}")]
    Io {
        /// The operation.
        what: String,
        /// The operating system's error.
        source: io::Error,
    },
}

impl ServerError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
