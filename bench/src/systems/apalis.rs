//! apalis with its `MemoryStorage`: a worker with a concurrency of 64.
//!
//! All jobs run within the worker's one task, its default and its fastest setting for a job this small;
//! `parallelize(tokio::spawn)` runs at half the speed. The storage has no bound.
//!
//! Clones of one `MemorySink` must not be used concurrently: `start_send` unwraps a `try_lock` (1.0.0). So the storage and
//! each producer have a sink of their own, on one channel. That is more than `MemoryStorage::new` offers, and costs less than
//! a lock around it.

use std::sync::Arc;

use anyhow::Context as _;
use apalis::prelude::{Task, WorkerBuilder, WorkerBuilderExt as _};
use apalis_core::backend::memory::{MemorySink, MemoryStorage, MemoryStorageError};
use futures_channel::mpsc::{SendError, UnboundedSender, unbounded};
use futures_util::lock::Mutex;
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use harness::{Payload, Producer, Scratch, System, Tally};
use tokio::task::JoinSet;

pub(crate) struct Apalis {
    sender: UnboundedSender<Task<Payload>>,
    storage: Option<MemoryStorage<Payload>>,
    tally: Tally,
}

impl System for Apalis {
    type Producer = Entrance;
    type Workers = JoinSet<()>;

    async fn open(_scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let (sender, receiver) = unbounded();
        let storage = MemoryStorage::new_with(sink(&sender), receiver.boxed());
        Ok(Self { sender, storage: Some(storage), tally })
    }

    fn producer(&self) -> Entrance {
        Entrance(sink(&self.sender))
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<JoinSet<()>> {
        let tally = self.tally;
        let storage = self.storage.take().context("the one worker is running already")?;
        let job = move |payload: Payload| async move { tally.run(payload.user_id, &payload.template) };
        let worker = WorkerBuilder::new("welcome").backend(storage).concurrency(workers).build(job);
        let mut running = JoinSet::new();
        running.spawn(async move {
            if let Err(error) = worker.run().await {
                eprintln!("the worker of apalis ended: {error}");
            }
        });
        Ok(running)
    }
}

pub(crate) struct Entrance(MemorySink<Payload>);

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.0.send(Task::new(payload)).await?;
        Ok(())
    }
}

type BoxedSink = Box<dyn Sink<Task<Payload>, Error = MemoryStorageError> + Send + Sync + Unpin>;

/// Creates what `MemoryStorage::new` creates, with another sender of the channel.
fn sink(sender: &UnboundedSender<Task<Payload>>) -> MemorySink<Payload> {
    let sink: BoxedSink = Box::new(sender.clone().sink_map_err(|error: SendError| error.into()));
    MemorySink::new(Arc::new(Mutex::new(sink)))
}
