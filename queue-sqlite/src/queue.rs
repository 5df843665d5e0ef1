//! The queue, as those see it who use it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, select};
use queue_core::{
    Clock, Delivery, Demand, Lease, Limits, NewJob, Queue, QueueError, Receipt, Renewal, Settled, Settlement,
    Transition,
};

use crate::config::SqliteQueueBuilder;
use crate::joined_thread::JoinOnDrop;
use crate::reader::Reader;
use crate::writer::{Writer, WriterHandle};
use queue_core::encoded::{encode, encode_followups};

/// A queue in an SQLite file.
///
/// Cheap to clone; all clones are the same queue. An acknowledged push is on disk.
/// It takes jobs without a bound, needs no async runtime of any kind, and works from within any.
/// Claimers that wait on one handle and its clones are served first come, first served.
///
/// Dropping the last handle does what was asked for before, lets go of the file, and waits for that: mostly some
/// milliseconds. What was asked for and not waited for takes its time: a look at a large file its own, and each transaction
/// as long as a busy file is waited for. From then on the file may be moved or deleted.
#[derive(Clone)]
pub struct SqliteQueue(Arc<Shared>);

struct Shared {
    writer: JoinOnDrop<WriterHandle>,
    reader: JoinOnDrop<Reader>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    path: Arc<Path>,
    is_closed: AtomicBool,
}

impl SqliteQueue {
    /// Opens the queue in a file, which is made where there is none; `":memory:"` is a queue for tests.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteQueueBuilder::open`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the file made and migrated.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, QueueError> {
        Self::builder(path).open().await
    }

    /// Starts to open a queue with other settings.
    pub fn builder(path: impl AsRef<Path>) -> SqliteQueueBuilder {
        SqliteQueueBuilder::new(path.as_ref())
    }

    pub(crate) async fn start(settings: SqliteQueueBuilder) -> Result<Self, QueueError> {
        settings.location.prepare()?;
        let path: Arc<Path> = settings.location.path().into();
        let (clock, limits) = (settings.clock.clone(), settings.limits);
        let writer = Writer::start(settings.clone()).await?;
        let reader = Reader::start(&settings).await?;
        Ok(Self(Arc::new(Shared { writer, reader, clock, limits, path, is_closed: AtomicBool::new(false) })))
    }

    /// Closes the queue for this handle and its clones: pushes and claims, waiting ones too, answer `Closed`; leased jobs
    /// can still be renewed and settled. What is stored stays stored.
    pub fn close(&self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
        self.writer().close();
    }

    /// Looks at once for what others have stored and for what has become due, rather than at the next interval.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops waiting for it.
    pub async fn poll_now(&self) {
        self.writer().poll_now().await;
    }

    pub(crate) fn check_open(&self) -> Result<(), QueueError> {
        if self.0.is_closed.load(Ordering::SeqCst) { Err(QueueError::closed()) } else { Ok(()) }
    }

    pub(crate) fn writer(&self) -> &WriterHandle {
        self.0.writer.handle()
    }

    pub(crate) fn reader(&self) -> &Reader {
        self.0.reader.handle()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.check_open()?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = encode(jobs, self.limits())?;
        self.writer().call(jobs.len(), move |table| table.push(&jobs)).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.check_open()?;
        if demand.queues.is_empty() {
            return Err(QueueError::invalid("a demand that names no queue can never be met"));
        }
        if demand.is_stopped() {
            return Ok(Vec::new());
        }
        // A wait begins now, and not when the writer comes to it.
        let wait = demand.wait.map(|wait| (!wait.is_zero()).then(|| self.clock().sleep(wait)));
        let deadline: Option<BoxFuture<'static, ()>> = match (wait, demand.stop.is_some()) {
            (Some(None), _) | (None, false) => None,
            (Some(Some(deadline)), false) => Some(deadline),
            (None, true) => Some(Box::pin(demand.stopped())),
            (Some(Some(deadline)), true) => {
                Some(Box::pin(select(deadline, Box::pin(demand.stopped())).map(drop)))
            }
        };
        Ok(self.writer().claim(demand.clone(), deadline).await?.received())
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Renewal>, QueueError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let leases = leases.to_vec();
        self.writer().call(leases.len(), move |table| Ok(table.renew(&leases)?)).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let mut settlements = settlements;
        settlements.iter_mut().for_each(|settlement| settlement.transition.cut_text());
        check_supported(&settlements)?;
        let followups = encode_followups(&mut settlements, self.limits())?;
        let weight = settlements.len() + followups.iter().map(Vec::len).sum::<usize>();
        self.writer().call(weight, move |table| table.settle(&settlements, &followups)).await
    }
}

/// Fails for a transition that this backend is too old for.
fn check_supported(settlements: &[Settlement]) -> Result<(), QueueError> {
    for settlement in settlements {
        match &settlement.transition {
            Transition::Complete
            | Transition::Retry { .. }
            | Transition::Snooze { .. }
            | Transition::Discard { .. }
            | Transition::Cancel { .. }
            | Transition::Release => {}
            newer => {
                return Err(QueueError::unsupported(format!(
                    "this backend is older than the transition `{newer}`"
                )));
            }
        }
    }
    Ok(())
}

impl fmt::Debug for SqliteQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteQueue").field("path", &self.0.path).finish_non_exhaustive()
    }
}
