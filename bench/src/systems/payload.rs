//! No system: the payloads in a vector, to measure the memory of a job without a queue.

use std::sync::{Arc, Mutex, PoisonError};

use harness::{Payload, Producer, Scratch, System, Tally};

#[derive(Clone)]
pub(crate) struct Payloads(Arc<Mutex<Vec<Payload>>>);

impl System for Payloads {
    type Producer = Self;
    type Workers = ();

    async fn open(scratch: &Scratch, _tally: Tally) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Vec::with_capacity(scratch.bound())))))
    }

    fn producer(&self) -> Self {
        self.clone()
    }

    async fn start(&mut self, _workers: usize) -> anyhow::Result<()> {
        Ok(())
    }
}

impl Producer for Payloads {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
        Ok(())
    }
}
