//! The public queue: a handle on the writer and reader threads.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use queue_core::backend::{
    AnnouncementReader, CloseFlag, ExpiryFeed, Intake, SupportedRequests, check_demand,
};
use queue_core::{
    Announcement, Clock, Delivery, Demand, Heartbeat, NewJob, Queue, QueueError, QueueLimits, QueueName,
    Receipt, Renewal, Settled, Settlement,
};

use crate::joined_thread::JoinOnDrop;
use crate::reader::Reader;
use crate::settings::{Settings, Synchronous};
use crate::unit_meta::UnitMeta;
use crate::writer::{Deadline, Writer, WriterHandle};

/// A queue in an SQLite file.
///
/// Cheap to clone; all clones are the same queue. An acknowledged push is on disk.
/// The queue has no bound on the number of jobs. It works within any async runtime, or without one.
/// Claims that wait on a handle and its clones are served first come, first served.
///
/// Dropping the last handle completes all calls that were made, closes the file, and waits for that. From then on, the file
/// may be moved or deleted. This mostly takes some milliseconds. It takes longer if a call whose future was dropped still
/// reads a large file, or waits for a lock up to the [busy timeout](crate::SqliteQueueBuilder::busy_timeout).
#[derive(Clone)]
pub struct SqliteQueue(Arc<Shared>);

struct Shared {
    writer: JoinOnDrop<WriterHandle>,
    reader: JoinOnDrop<Reader>,
    clock: Arc<dyn Clock>,
    intake: Intake,
    path: Arc<Path>,
    synchronous: Synchronous,
    closed: CloseFlag,
    /// Apart from the rest, because the writer thread must not have the last handle of the queue.
    unit_meta: Arc<UnitMeta>,
    expiries: Arc<ExpiryFeed>,
    announcements: Arc<AnnouncementReader>,
}

impl SqliteQueue {
    /// Creates the file if there is none and the settings allow that, and starts the threads.
    pub(crate) async fn start(settings: Settings) -> Result<Self, QueueError> {
        if settings.run_migrations {
            settings.location.prepare()?;
        } else {
            settings.location.require()?;
        }
        let path: Arc<Path> = settings.location.path().into();
        let (clock, synchronous) = (settings.clock.clone(), settings.synchronous);
        let intake = Intake::new(settings.limits, SupportedRequests::V2).hooks(settings.hooks.clone());
        let expiries = Arc::<ExpiryFeed>::default();
        let writer = Writer::start(settings.clone(), expiries.clone()).await?;
        let reader = Reader::start(&settings).await?;
        let closed = CloseFlag::default();
        let announcements = Arc::new(AnnouncementReader::new(path.display().to_string()));
        Ok(Self(Arc::new(Shared {
            writer,
            reader,
            clock,
            intake,
            path,
            synchronous,
            closed,
            unit_meta: Arc::default(),
            expiries,
            announcements,
        })))
    }

    /// Closes the queue for this handle and its clones.
    ///
    /// Pushes and claims fail as `Closed`, including claims that wait. Leased jobs can still be renewed and settled. The jobs
    /// stay stored.
    pub fn close(&self) {
        self.0.closed.close();
        self.writer().close();
    }

    /// Polls now for jobs of other processes and for due jobs, instead of at the next poll interval. Returns after waiting
    /// claims were served.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, only the wait ends.
    pub async fn poll_now(&self) {
        self.writer().poll_now().await;
    }

    /// Checks that the queue was not closed.
    ///
    /// # Errors
    ///
    /// `Closed` after [`close`](Self::close).
    pub(crate) fn check_open(&self) -> Result<(), QueueError> {
        self.0.closed.check()
    }

    pub(crate) fn writer(&self) -> &WriterHandle {
        self.0.writer.handle()
    }

    pub(crate) fn reader(&self) -> &Reader {
        self.0.reader.handle()
    }

    pub(crate) fn announcements(&self) -> Arc<AnnouncementReader> {
        self.0.announcements.clone()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn intake(&self) -> &Intake {
        &self.0.intake
    }

    pub(crate) fn unit_meta(&self) -> &Arc<UnitMeta> {
        &self.0.unit_meta
    }

    pub(crate) fn synchronous(&self) -> Synchronous {
        self.0.synchronous
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    fn description(&self) -> String {
        let survives = match self.0.synchronous {
            Synchronous::Full => "survives a power cut",
            Synchronous::Normal => "survives a crash of the program, but perhaps not of the machine",
        };
        format!("SQLite file `{}`; an acknowledged push {survives}", self.path().display())
    }

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.check_open()?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = self.intake().jobs(jobs)?;
        self.writer().call(jobs.len(), move |table| table.push(&jobs)).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.check_open()?;
        check_demand(demand)?;
        if demand.is_stopped() {
            return Ok(Vec::new());
        }
        let deadline = Deadline::begin(demand, self.clock());
        Ok(self.writer().claim(demand.clone(), deadline).await?.received())
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        if heartbeats.is_empty() {
            return Ok(Vec::new());
        }
        let heartbeats = heartbeats.to_vec();
        self.writer().call(heartbeats.len(), move |table| Ok(table.renew(&heartbeats)?)).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let mut settlements = settlements;
        settlements.iter_mut().for_each(|settlement| settlement.transition.cut_text());
        let (settlements, followups) = self.intake().settlements(settlements)?;
        let weight = settlements.len() + followups.iter().map(Vec::len).sum::<usize>();
        self.writer().call(weight, move |table| table.settle(&settlements, &followups)).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        let announcement = announcement.clone();
        self.writer().call(1, move |table| Ok(table.announce(&announcement)?)).await
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        limits.check()?;
        let (queue, limits) = (queue.clone(), limits.clone());
        self.writer().call(1, move |table| Ok(table.declare_limits(&queue, &limits)?)).await
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        Some(&self.0.expiries)
    }
}

impl fmt::Debug for SqliteQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteQueue").field("path", &self.0.path).finish_non_exhaustive()
    }
}
