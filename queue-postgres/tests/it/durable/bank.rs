//! An application whose accounts are in the database of its jobs.

use std::sync::Arc;

use queue_conformance::durable::PaymentApp;
use queue_core::{JobContext, JobError, NewJob, Services, background_job, jobs};
use queue_postgres::PostgresUnitOfWork;

use super::in_a_schema::InASchema;
use crate::fixture::number;
use crate::units::{add_a_cent, open_accounts, receipt};

#[background_job(max_attempts = 100, backoff = fixed("1ms"))]
async fn pay_twice(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] context: &JobContext,
    schema: &str,
    ending: &str,
) -> Result<(), JobError> {
    context.then(NewJob::from(receipt::new(1)).queue("receipts"));
    for _ in 0..2 {
        tokio::task::yield_now().await;
        add_a_cent(tx, schema).await?;
    }
    tokio::task::yield_now().await;
    match ending {
        "success" => Ok(()),
        "failure" => Err("the card was refused")?,
        _ => panic!("the card was eaten"),
    }
}

/// Opens the application, with no account.
pub(super) async fn open(store: &InASchema) -> PaymentApp {
    let queue = store.builder().connect().await.expect("a connection");
    open_accounts(&mut store.connection().await, &store.schema).await.expect("a table");
    let services = Services::builder().unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end);
    let (schema, store) = (store.schema.clone(), store.clone());
    PaymentApp {
        queue: Arc::new(queue),
        services: services.build().expect("services"),
        jobs: jobs![pay_twice],
        pay: Box::new(move |ending| pay_twice::new(&schema, ending).into()),
        balance: Box::new(move || {
            let store = store.clone();
            Box::pin(async move {
                let balance = format!("select cents::bigint from {}.accounts", store.schema);
                number(&mut store.connection().await, balance).await.expect("an account")
            })
        }),
    }
}
