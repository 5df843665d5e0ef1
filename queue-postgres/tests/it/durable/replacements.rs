//! Faults that replace the contents of a schema.

use async_trait::async_trait;
use queue_conformance::durable::{Outage, Store as _};
use queue_core::BoxError;
use queue_postgres::sqlx;

use super::in_a_schema::InASchema;
use crate::fixture::run;

/// How a schema is replaced.
#[derive(Clone, Copy)]
enum What {
    /// It is dropped and created again.
    MadeAnew,
    /// Its tables are truncated, as tests do, and their identities restart.
    Truncated,
    /// Its tables are restored from an older copy, as when a standby takes over.
    Restored,
}

pub(super) struct Replacement {
    store: InASchema,
    what: What,
}

/// Copies the schema's tables, and returns the ways to replace its contents.
pub(super) async fn of(store: &InASchema) -> Vec<Box<dyn Outage>> {
    let schema = &store.schema;
    let copy = format!("create table {schema}_copy.%1$I as select * from {schema}.%1$I");
    let copy = format!("create schema {schema}_copy; {}", for_each_table(schema, &copy));
    run(&mut store.connection().await, copy).await.expect("a copy");
    let replacement = |what| -> Box<dyn Outage> { Box::new(Replacement { store: store.clone(), what }) };
    [What::MadeAnew, What::Truncated, What::Restored].map(replacement).into()
}

/// Returns a block that runs `statement` for each table with jobs; `%1$I` in it is the table.
fn for_each_table(schema: &str, statement: &str) -> String {
    format!(
        "do $$ declare t text; begin
            for t in select tablename from pg_tables where schemaname = '{schema}' and tablename <> 'schema_migrations' loop
                execute format('{statement}', t);
            end loop;
        end $$;"
    )
}

/// Returns a block that restarts each identity after its greatest value.
fn numbers_go_on(schema: &str) -> String {
    format!(
        "do $$ declare c record; begin
            for c in select table_name t, column_name n from information_schema.columns
                where table_schema = '{schema}' and is_identity = 'YES'
            loop
                execute format('select setval(pg_get_serial_sequence(''{schema}.%1$I'', ''%2$s''),
                    (select coalesce(max(%2$I), 0) + 1 from {schema}.%1$I), false)', c.t, c.n);
            end loop;
        end $$;"
    )
}

/// Returns whether the server rolled the statement back to end a deadlock.
///
/// The statement and a claim of the queue lock the tables in different orders, and the server ends one of the two.
fn is_deadlock(error: &BoxError) -> bool {
    let error = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    error.is_some_and(|error| error.code().as_deref() == Some("40P01"))
}

#[async_trait]
impl Outage for Replacement {
    fn name(&self) -> &str {
        match self.what {
            What::MadeAnew => "its schema was dropped and created again",
            What::Truncated => "its tables were truncated",
            What::Restored => "its tables were restored from a copy",
        }
    }

    async fn begin(&self) {
        let schema = &self.store.schema;
        let mut connection = self.store.connection().await;
        let truncate = for_each_table(schema, &format!("truncate {schema}.%1$I restart identity"));
        let sql = match self.what {
            What::MadeAnew => format!("drop schema {schema} cascade"),
            What::Truncated => truncate,
            What::Restored => {
                let fill = format!(
                    "insert into {schema}.%1$I overriding system value select * from {schema}_copy.%1$I"
                );
                format!("{truncate} {} {}", for_each_table(schema, &fill), numbers_go_on(schema))
            }
        };
        while let Err(error) = run(&mut connection, &sql).await {
            assert!(is_deadlock(&error), "the tables: {error}");
        }
        if let What::MadeAnew = self.what {
            drop(self.store.open().await.expect("a fresh schema"));
        }
    }

    async fn end(&self) {}
}
