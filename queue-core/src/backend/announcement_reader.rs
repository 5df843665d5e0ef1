//! Reads the announcements of workers that a backend has stored.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::contract::announcement::Announcement;

/// Reads the announcements that a backend has stored as text. It logs the first one that it cannot read, as a warning.
///
/// A handle of a queue has one reader, because boards list the workers every few seconds.
#[derive(Debug)]
pub struct AnnouncementReader {
    /// The store, as log lines name it.
    store: String,
    has_warned: AtomicBool,
}

impl AnnouncementReader {
    /// Creates the reader of a store.
    #[must_use]
    pub const fn new(store: String) -> Self {
        Self { store, has_warned: AtomicBool::new(false) }
    }

    /// Decodes the text that [`Announcement::encode`] returned. Returns `None` for a text that this program cannot read, such as the
    /// announcement of a newer program; its worker is not listed.
    pub fn read(&self, json: &str) -> Option<Announcement> {
        let decoded = Announcement::decode(json).inspect_err(|error| {
            if !self.has_warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    store = %self.store,
                    ?error,
                    "the announcement of a worker can't be read, so the worker is not listed: update this program if that of \
                     the worker is newer"
                );
            }
        });
        decoded.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_that_cannot_be_read_is_left_out() {
        let reader = AnnouncementReader::new("jobs.db".to_owned());
        let announcement = Announcement::new("web-1/7/queue".into());

        assert_eq!(reader.read("{\"worker\":7}"), None);
        assert_eq!(reader.read(&announcement.encode()), Some(announcement));
    }
}
