//! Opens connections.

use queue_core::QueueError;
use sqlx::{Connection as _, PgConnection};

use crate::error::{connect_timed_out, to_queue_error};
use crate::target::Target;

/// Opens a connection with the current connect options, within the queue's timeout.
pub(crate) async fn connect(target: &Target) -> Result<PgConnection, QueueError> {
    let connect = async {
        let options = target.connect_options().await?;
        PgConnection::connect_with(&options).await.map_err(|error| to_queue_error(error, target))
    };
    tokio::time::timeout(target.timeout, connect)
        .await
        .unwrap_or_else(|_| Err(connect_timed_out(target, target.timeout)))
}
