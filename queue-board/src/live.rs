//! The updates of open pages.
//!
//! One task polls the store for all open pages together, once a second. It runs while a page is open.
//!
//! | event | effect |
//! | --- | --- |
//! | a page opens | it subscribes to its address; the first one starts the task |
//! | each second | the task reads the summary and the workers, and the pages that are due, each once however many readers it has |
//! | a page is closed | its stream is dropped, and with it the receiver; the task ends when it finds no receiver |
//!
//! A page that takes long to read is due less often, so that reading one page takes at most a twentieth of the time.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::bulk::Changes;
use crate::error::BoardError;
use crate::frame::Frame;
use crate::site::Site;
use crate::text::time::now;
use crate::view::{Page, View};

/// The time between two polls.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many pages one poll reads at most. The others are read by the next ones.
const PAGES: usize = 8;

/// The time between two reads of a page is at least this multiple of the time that a read takes.
const SHARE: u32 = 20;

/// The maximum length of a stream. The browser opens the next one, unless the server stops.
const LENGTH: Duration = Duration::from_secs(15);

/// A page as it was read last, or why it could not be read; `None` before the first poll.
type Latest = Option<Result<Arc<Page>, Arc<str>>>;

/// The pages that are open, and what is read for them.
pub(crate) struct Live {
    site: Arc<Site>,
    changes: Arc<Changes>,
    open: Mutex<OpenPages>,
}

#[derive(Debug, Default)]
struct OpenPages {
    pages: Vec<OpenPage>,
    is_polling: bool,
}

#[derive(Clone, Debug)]
struct OpenPage {
    view: View,
    latest: watch::Sender<Latest>,
    due: Instant,
}

impl Live {
    pub(crate) fn new(site: Arc<Site>, changes: Arc<Changes>) -> Self {
        Self { site, changes, open: Mutex::new(OpenPages::default()) }
    }

    fn lock(&self) -> MutexGuard<'_, OpenPages> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers with the updates of a page, until the reader closes it or the server stops.
    pub(crate) fn updates(
        self: &Arc<Self>,
        frame: Frame,
        view: View,
    ) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
        let updates = Updates {
            frame: Frame { is_live: true, ..frame },
            pages: self.subscribe(view),
            stopping: self.site.stopping.clone(),
            end: Instant::now() + LENGTH,
            sent: None,
        };
        let next = async |mut updates: Updates| updates.next().await.map(|event| (Ok(event), updates));
        Sse::new(unfold(updates, next)).keep_alive(KeepAlive::default())
    }

    /// Subscribes to a page, and starts the task if it does not run.
    fn subscribe(self: &Arc<Self>, view: View) -> watch::Receiver<Latest> {
        let mut open = self.lock();
        if !open.is_polling {
            open.is_polling = true;
            tokio::spawn(poll(self.clone()));
        }
        if let Some(page) = open.pages.iter().find(|page| page.view == view) {
            return page.latest.subscribe();
        }
        let (latest, receiver) = watch::channel(None);
        open.pages.push(OpenPage { view, latest, due: Instant::now() });
        receiver
    }

    /// Returns the pages to read now, the most overdue first, or `None` if no page is open.
    fn due(&self) -> Option<Vec<OpenPage>> {
        let mut open = self.lock();
        open.pages.retain(|page| page.latest.receiver_count() > 0);
        open.is_polling = !open.pages.is_empty();
        let now = Instant::now();
        let mut due: Vec<_> = open.pages.iter().filter(|page| page.due <= now).cloned().collect();
        due.sort_by_key(|page| page.due);
        due.truncate(PAGES);
        open.is_polling.then_some(due)
    }

    fn set_due(&self, view: &View, due: Instant) {
        if let Some(page) = self.lock().pages.iter_mut().find(|page| page.view == *view) {
            page.due = due;
        }
    }
}

/// Polls the store until no page is open.
async fn poll(live: Arc<Live>) {
    while let Some(due) = live.due() {
        let start = Instant::now();
        let glance = live.site.glance().await.map_err(BoardError::Queue);
        for page in due {
            let begin = Instant::now();
            let read = match &glance {
                Ok(glance) => {
                    page.view.read(&live.site, &live.changes, glance).await.map_err(|error| error.sentence())
                }
                Err(error) => Err(error.sentence()),
            };
            // A read is due a little before the poll, since a timer may fire late.
            let pause = (begin.elapsed() * SHARE).max(INTERVAL / 2);
            live.set_due(&page.view, begin + pause);
            page.latest.send_replace(Some(read.map(Arc::new).map_err(Arc::from)));
        }
        sleep_until(start + INTERVAL).await;
    }
}

/// The stream of one reader.
struct Updates {
    frame: Frame,
    pages: watch::Receiver<Latest>,
    stopping: CancellationToken,
    end: Instant,
    /// The last update, which is not sent again.
    sent: Option<String>,
}

impl Updates {
    /// Waits for the next change of the page. The script updates the texts of times, so a change of the time alone is not sent.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let changed = self.stopping.run_until_cancelled(self.pages.changed());
            let Ok(Some(Ok(()))) = timeout_at(self.end, changed).await else { return None };
            let Some(latest) = self.pages.borrow_and_update().clone() else { continue };
            let update = match latest {
                Ok(page) => json!({ "title": page.title(), "main": page.main(&self.frame).into_string() }),
                Err(trouble) => json!({ "trouble": &*trouble }),
            };
            let text = update.to_string();
            if self.sent.as_ref() != Some(&text) {
                self.sent = Some(text);
                let now = now().as_micros() / 1000;
                return Some(Event::default().id(now.to_string()).data(update.to_string()));
            }
        }
    }
}
