//! Diagnoses a schema and its server, for operators.

mod horizon;
mod rows;
mod schema;
mod server;

use queue_core::QueueError;
use queue_core::admin::{Check, Finding, Severity};
use sqlx::{Connection as _, PgConnection};

use crate::connect::connect;
use crate::error::to_queue_error;
use crate::queue::PostgresQueue;
use crate::target::Target;

/// Returns a finding for each problem, over a connection of its own: other calls of the queue proceed.
pub(crate) async fn diagnose(queue: &PostgresQueue) -> Result<Vec<Finding>, QueueError> {
    let target = queue.shared().target.clone();
    let work = async move {
        let mut connection = connect(&target).await?;
        let findings = all(&mut connection, &target).await;
        // The server ends a connection that is not closed, and the findings count.
        drop(connection.close().await);
        findings.map_err(|error| to_queue_error(error, &target))
    };
    queue.thread().run(work).await
}

async fn all(connection: &mut PgConnection, target: &Target) -> sqlx::Result<Vec<Finding>> {
    let mut findings = checked(Check::Schema, schema::drift(connection, target).await)?;
    findings.extend(checked(Check::Durability, server::durability(connection).await)?);
    findings.extend(checked(Check::Integrity, rows::broken_rules(connection, target).await)?);
    findings.extend(checked(Check::Clock, server::clock(connection, target).await)?);
    findings.extend(checked(Check::Maintenance, server::vacuum(connection, target).await)?);
    findings.extend(checked(Check::Maintenance, horizon::held(connection).await)?);
    Ok(findings)
}

/// Returns a finding instead of the error of a statement: a table may be missing, or the user may lack a right.
fn checked(check: Check, found: sqlx::Result<Vec<Finding>>) -> sqlx::Result<Vec<Finding>> {
    match found {
        Err(sqlx::Error::Database(error)) => {
            let what = format!("the check failed: {}", error.message());
            let cure = "cure what the other checks have found, or diagnose as the owner of the schema";
            Ok(vec![Finding::new(check, Severity::Warning, what, cure)])
        }
        found => found,
    }
}
