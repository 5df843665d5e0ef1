//! tokio's bounded channel, whose receiver the workers share: no queue semantics, the lower bound for a typed message.

use std::sync::Arc;

use harness::{Payload, Producer, Scratch, System, Tally};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

pub(crate) struct Mpsc {
    sender: mpsc::Sender<Payload>,
    receiver: Arc<Mutex<mpsc::Receiver<Payload>>>,
    tally: Tally,
}

impl System for Mpsc {
    type Producer = Entrance;
    type Workers = JoinSet<()>;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let (sender, receiver) = mpsc::channel(scratch.bound());
        Ok(Self { sender, receiver: Arc::new(Mutex::new(receiver)), tally })
    }

    fn producer(&self) -> Entrance {
        Entrance(self.sender.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<JoinSet<()>> {
        let worker = || work(self.receiver.clone(), self.tally);
        Ok(std::iter::repeat_with(worker).take(workers).collect())
    }
}

pub(crate) struct Entrance(mpsc::Sender<Payload>);

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.0.send(payload).await?;
        Ok(())
    }
}

async fn work(receiver: Arc<Mutex<mpsc::Receiver<Payload>>>, tally: Tally) {
    loop {
        // A separate statement, so that the receiver is free while the job runs.
        let payload = receiver.lock().await.recv().await;
        let Some(payload) = payload else { return };
        tally.run(payload.user_id, &payload.template);
    }
}
