//! The identity of a worker.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The identity of a worker: of a service in one process, or of another program that claims jobs.
///
/// It has printable ASCII characters without spaces, at most [`MAX_LEN`](Self::MAX_LEN) of them, so that every backend can store
/// it and a log line or an address can contain it.
///
/// ```
/// use queue_core::WorkerId;
///
/// assert_eq!(WorkerId::of("web-1", 4711, "mails").as_str(), "web-1/4711/mails");
/// assert_eq!(WorkerId::new("München 1").as_str(), "M-nchen-1");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(SmolStr);

impl WorkerId {
    /// The maximum length.
    pub const MAX_LEN: usize = 200;

    /// Creates an identity. Every other character becomes a hyphen, and a longer text is cut.
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref().chars().take(Self::MAX_LEN);
        Self(text.map(|char| if char.is_ascii_graphic() { char } else { '-' }).collect())
    }

    /// Creates the identity of a service in a process: `host/pid/service`.
    #[must_use]
    pub fn of(host: &str, pid: u32, service: &str) -> Self {
        let mut text = host.to_owned();
        // Writing to a `String` does not fail.
        write!(text, "/{pid}/{service}").ok();
        Self::new(text)
    }

    /// Returns the identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<&str> for WorkerId {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_only_characters_that_every_store_accepts() {
        let cases = [("a b\u{0}c", "a-b-c"), ("", ""), ("ä/1/b", "-/1/b")];
        for (text, expected) in cases {
            assert_eq!(WorkerId::new(text).as_str(), expected);
        }
        assert_eq!(WorkerId::new("x".repeat(1000)).as_str().len(), WorkerId::MAX_LEN);
    }
}
