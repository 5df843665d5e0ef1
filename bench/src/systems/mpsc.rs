//! tokio's bounded channel, whose receiver the workers share: no queue semantics at all, the floor for a typed message.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::{Producer, System, WORKERS};
use crate::tally::{Payload, Tally};

pub(crate) struct Mpsc {
    sender: mpsc::Sender<Payload>,
    receiver: Arc<Mutex<mpsc::Receiver<Payload>>>,
    tally: Tally,
}

impl System for Mpsc {
    type Producer = mpsc::Sender<Payload>;
    type Workers = JoinSet<()>;

    fn new(bound: usize, tally: Tally) -> Self {
        let (sender, receiver) = mpsc::channel(bound);
        Self { sender, receiver: Arc::new(Mutex::new(receiver)), tally }
    }

    fn producer(&self) -> mpsc::Sender<Payload> {
        self.sender.clone()
    }

    async fn start(&mut self) -> anyhow::Result<JoinSet<()>> {
        let worker = || work(self.receiver.clone(), self.tally);
        Ok(std::iter::repeat_with(worker).take(WORKERS).collect())
    }
}

impl Producer for mpsc::Sender<Payload> {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.send(payload).await?;
        Ok(())
    }
}

async fn work(receiver: Arc<Mutex<mpsc::Receiver<Payload>>>, tally: Tally) {
    loop {
        // A statement of its own, so that the receiver is free while the job runs.
        let payload = receiver.lock().await.recv().await;
        let Some(payload) = payload else { return };
        tally.run(payload.user_id, &payload.template);
    }
}
