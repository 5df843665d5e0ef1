//! Faults of a schema's connections, tables and server.

use std::sync::Arc;

use async_trait::async_trait;
use queue_conformance::durable::Outage;
use queue_postgres::sqlx::PgConnection;
use test_servers::Postgres;
use tokio::sync::Mutex;

use super::in_a_schema::InASchema;
use crate::fixture::{number, run};

/// A network that breaks.
pub(super) struct Cut(pub(super) InASchema);

#[async_trait]
impl Outage for Cut {
    fn name(&self) -> &'static str {
        "every connection is cut"
    }

    async fn begin(&self) {
        let cut = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where application_name = '{}' and pid <> pg_backend_pid()",
            self.0.schema
        );
        let cut = number(&mut self.0.connection().await, cut).await.expect("a connection");
        assert!(cut > 0, "there was no connection to cut");
    }

    async fn end(&self) {}
}

/// A server that dies, and is started again.
pub(super) struct Killed(pub(super) Arc<Postgres>);

#[async_trait]
impl Outage for Killed {
    fn name(&self) -> &'static str {
        "the server is dead"
    }

    async fn begin(&self) {
        self.0.kill();
    }

    async fn end(&self) {
        self.0.restart().expect("a server that starts again");
    }
}

/// A lock of another program on the table `ready`.
pub(super) struct Lock {
    connection: Mutex<PgConnection>,
    schema: String,
}

impl Lock {
    pub(super) async fn of(store: &InASchema) -> Self {
        Self { connection: Mutex::new(store.connection().await), schema: store.schema.clone() }
    }

    async fn run(&self, sql: String) {
        run(&mut *self.connection.lock().await, sql).await.expect("a connection");
    }
}

#[async_trait]
impl Outage for Lock {
    fn name(&self) -> &'static str {
        "another program keeps a table locked"
    }

    async fn begin(&self) {
        // Several statements in one call would be one transaction, which ends with them.
        self.run("begin".to_owned()).await;
        self.run(format!("lock table {}.ready in access exclusive mode", self.schema)).await;
    }

    async fn end(&self) {
        self.run("rollback".to_owned()).await;
    }
}
