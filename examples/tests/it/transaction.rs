//! A job's transaction is committed after a success, and rolled back otherwise.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::Poll;

use queue_core::{BoxError, OutcomeKind};
use stock::catalog;
use stock::database::{Database, DatabaseError};
use stock::transaction::Tx;
use tempfile::TempDir;

fn database() -> Result<(Arc<Database>, TempDir), BoxError> {
    let folder = tempfile::tempdir()?;
    Ok((Arc::new(Database::open(folder.path().join("stock.db"))?), folder))
}

#[tokio::test]
async fn writes_are_committed_only_after_a_success() -> Result<(), BoxError> {
    let (database, _folder) = database()?;
    let ends = [
        (OutcomeKind::Failure, None),
        (OutcomeKind::Snooze, None),
        (OutcomeKind::Cancel, None),
        (OutcomeKind::Interrupted, None),
        (OutcomeKind::Success, Some(7)),
    ];

    for (outcome, expected) in ends {
        let mut tx = Tx::begin(database.clone()).await?;
        tx.run(|connection| catalog::note_report(connection, 7)).await?;
        tx.end(outcome).await?;

        assert_eq!(database.run(catalog::reported).await?, expected, "after {outcome:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_unused_transaction_blocks_no_writer() -> Result<(), BoxError> {
    let (database, _folder) = database()?;
    let idle = Tx::begin(database.clone()).await?;

    let mut other = Tx::begin(database.clone()).await?;
    other.run(|connection| catalog::note_report(connection, 7)).await?;
    other.end(OutcomeKind::Success).await?;

    idle.end(OutcomeKind::Success).await?;
    assert_eq!(database.run(catalog::reported).await?, Some(7));
    Ok(())
}

#[tokio::test]
async fn a_transaction_whose_query_was_dropped_is_not_committed() -> Result<(), BoxError> {
    let (database, _folder) = database()?;
    let mut tx = Tx::begin(database.clone()).await?;
    let (go_on, held) = mpsc::channel::<()>();
    {
        let mut query = pin!(tx.run(move |connection| {
            // Returns when the other side is dropped.
            let _: Result<(), _> = held.recv();
            catalog::note_report(connection, 7)
        }));
        let is_on_its_way = poll_fn(|cx| Poll::Ready(query.as_mut().poll(cx).is_pending())).await;
        assert!(is_on_its_way);
    }
    drop(go_on);

    let ended = tx.end(OutcomeKind::Success).await;

    assert!(matches!(ended, Err(DatabaseError::Abandoned)), "{ended:?}");
    assert_eq!(database.run(catalog::reported).await?, None);
    Ok(())
}
