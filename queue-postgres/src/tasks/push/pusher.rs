//! The way of a push: by the caller's own task if it is lone, otherwise by the push tasks.

use std::sync::Arc;

use queue_core::backend::{Encoded, Reply};
use queue_core::{QueueError, Receipt};
use tokio::sync::mpsc::UnboundedSender;

use super::direct::DirectConnection;
use crate::push_traffic::PushTraffic;
use crate::requests::PushRequest;
use crate::runtime_thread::thread_gone;
use crate::shared::Shared;

/// Sends each push on its way.
pub(crate) struct Pusher {
    tasks: UnboundedSender<PushRequest>,
    direct: Arc<DirectConnection>,
    traffic: Arc<PushTraffic>,
}

impl Pusher {
    /// Creates a pusher that sends to these push tasks. They end when it is dropped, and no push is under way.
    pub(crate) fn new(tasks: UnboundedSender<PushRequest>, shared: Arc<Shared>) -> Self {
        let direct = Arc::new(DirectConnection::new(shared, tasks.clone()));
        Self { tasks, direct, traffic: Arc::default() }
    }

    /// Stores jobs, and returns their receipts.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the push goes on, and its answer is dropped.
    pub(crate) async fn push(&self, jobs: Vec<Encoded>) -> Result<Vec<Receipt>, QueueError> {
        let (under_way, is_lone) = self.traffic.begin();
        let (reply, answer) = Reply::new(thread_gone);
        let request = PushRequest { jobs, reply, is_resend: false, under_way };
        match if is_lone { self.direct.begin(request) } else { Err(request) } {
            Ok(push) => push.await,
            // After the tasks have ended, the reply is dropped with the request, and the answer is an error.
            Err(request) => drop(self.tasks.send(request)),
        }
        answer.await
    }
}
