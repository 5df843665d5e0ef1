//! The announcement of a running worker, and the record that a queue keeps of it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::error::{QueueError, QueueErrorKind};
use crate::contract::name::{JobName, QueueName};
use crate::contract::worker_id::WorkerId;

/// A worker's description of itself, which it announces repeatedly while it runs: see
/// [`Queue::announce`](crate::Queue::announce).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Announcement {
    /// The identity, the same as in the worker's claims.
    pub worker: WorkerId,
    /// The name of its service.
    pub service: String,
    /// The name of its machine.
    pub host: String,
    /// The number of its process.
    pub pid: u32,
    /// The program, and its version if that is known.
    pub program: String,
    /// The queues from which it claims.
    pub queues: Vec<QueueName>,
    /// The kinds of jobs that it can run.
    pub jobs: BTreeSet<JobName>,
    /// The maximum number of jobs that it runs at once.
    pub concurrency: u32,
    /// The number of jobs that it runs now.
    pub running: u32,
    /// How long it has been running.
    pub up_for: Duration,
    /// How long this announcement is valid. Zero means that the worker has stopped.
    pub valid_for: Duration,
}

impl Announcement {
    /// Creates the announcement of a worker that serves no queue, with every other field empty. It is valid for a minute.
    #[must_use]
    pub const fn new(worker: WorkerId) -> Self {
        Self {
            worker,
            service: String::new(),
            host: String::new(),
            pid: 0,
            program: String::new(),
            queues: Vec::new(),
            jobs: BTreeSet::new(),
            concurrency: 0,
            running: 0,
            up_for: Duration::ZERO,
            valid_for: Duration::from_secs(60),
        }
    }

    /// Encodes the announcement as JSON in ASCII, for backends that store text.
    #[must_use]
    pub fn encode(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut ascii = String::with_capacity(json.len());
        for char in json.chars() {
            if char.is_ascii() {
                ascii.push(char);
            } else {
                let units = char
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect::<String>();
                ascii.push_str(&units);
            }
        }
        ascii
    }

    /// Decodes the text that [`encode`](Self::encode) returned.
    ///
    /// # Errors
    ///
    /// `Corrupt` for any other text.
    pub fn decode(json: &str) -> Result<Self, QueueError> {
        let unreadable = |error| {
            let message = "a stored announcement of a worker can't be read";
            QueueError::new(QueueErrorKind::Corrupt, message).with_source(error)
        };
        serde_json::from_str(json).map_err(unreadable)
    }
}

/// A worker that runs, or has vanished: see [`Admin::workers`](crate::Admin::workers). It dereferences to the worker's last
/// announcement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerRecord {
    /// The worker's last announcement.
    #[serde(flatten)]
    pub announcement: Announcement,
    /// When the worker started, by the backend's clock.
    pub since: Timestamp,
    /// When it last announced itself.
    pub seen_at: Timestamp,
    /// When that announcement expires.
    pub expires_at: Timestamp,
    /// Whether the announcement was valid when the record was read. Otherwise, the worker has vanished: it died, or cannot reach the
    /// queue.
    pub is_live: bool,
}

impl Deref for WorkerRecord {
    type Target = Announcement;

    fn deref(&self) -> &Announcement {
        &self.announcement
    }
}

impl WorkerRecord {
    /// How long a worker that has vanished is listed.
    pub const REMEMBERED: Duration = Duration::from_secs(60 * 60);

    /// The maximum number of vanished workers that are listed: those that vanished last.
    pub const MAX_VANISHED: usize = 200;

    /// Returns the workers to list at `now`, sorted by identity, from all announcements that a backend has stored and the instants
    /// at which it did.
    #[must_use]
    pub fn list(announced: impl IntoIterator<Item = (Announcement, Timestamp)>, now: Timestamp) -> Vec<Self> {
        let records = announced.into_iter().map(|(announcement, at)| Self::new(announcement, at, now));
        let (mut live, mut vanished): (Vec<_>, Vec<_>) = records.partition(|record| record.is_live);
        vanished.retain(|record| record.expires_at.saturating_add(Self::REMEMBERED) > now);
        vanished.sort_by(|a, b| (b.expires_at, &a.worker).cmp(&(a.expires_at, &b.worker)));
        vanished.truncate(Self::MAX_VANISHED);
        live.append(&mut vanished);
        live.sort_by(|a, b| a.worker.cmp(&b.worker));
        live
    }

    fn new(announcement: Announcement, seen_at: Timestamp, now: Timestamp) -> Self {
        let expires_at = seen_at.saturating_add(announcement.valid_for);
        let since = seen_at.saturating_sub(announcement.up_for);
        Self { announcement, since, seen_at, expires_at, is_live: expires_at > now }
    }

    /// Returns whether it claims from this queue.
    #[must_use]
    pub fn serves(&self, queue: &QueueName) -> bool {
        self.queues.contains(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_stored_as_ascii_and_read_as_it_was() {
        let mut announcement = Announcement::new("web-1/7/queue".into());
        announcement.service = "Käse 🧀 \u{0}".to_owned();
        announcement.queues.push("mail".into());

        let json = announcement.encode();

        assert!(json.is_ascii() && !json.contains('\u{0}'), "{json}");
        assert_eq!(Announcement::decode(&json).ok(), Some(announcement));
    }
    #[test]
    fn a_record_is_one_flat_object_with_its_announcement() {
        let mut announcement = Announcement::new("web-1/7/queue".into());
        announcement.up_for = Duration::from_secs(3);
        let seen_at = Timestamp::from_micros(5_000_000);

        let record = WorkerRecord::list([(announcement, seen_at)], seen_at).remove(0);

        let json = serde_json::to_value(&record).unwrap();
        assert_eq!((&json["worker"], &json["is_live"]), (&"web-1/7/queue".into(), &true.into()), "{json}");
        assert_eq!((record.since, record.pid), (Timestamp::from_micros(2_000_000), 0));
        assert_eq!(serde_json::from_value::<WorkerRecord>(json).ok(), Some(record));
    }
}
