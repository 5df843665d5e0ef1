//! Tests of each job over SQLite and over PostgreSQL.
//!
//! Backoff takes no real time, and each test has a database of its own.

mod crashes;
mod runs;
mod webhooks;
mod world;

use queue_core::BoxError;
use queue_testkit::{TestPostgres, TestSqlite};

use crate::store::Store;
use world::{Database, World};

async fn create_sqlite_tables(db: &TestSqlite) -> Result<(), BoxError> {
    Store::Sqlite { queue: db.queue().clone(), path: db.path().to_owned() }.create_tables().await
}

async fn create_postgres_tables(db: &TestPostgres) -> Result<(), BoxError> {
    Store::Postgres { queue: db.queue().clone(), pool: db.pool().clone() }.create_tables().await
}

/// Expands to two tests of each function: one over SQLite, one over PostgreSQL.
macro_rules! over_both {
    ($($module:ident :: $test:ident),* $(,)?) => {
        mod sqlite {
            use super::*;
            $(#[queue_testkit::test(sqlite, setup = create_sqlite_tables)]
            async fn $test(db: TestSqlite) -> Result<(), BoxError> {
                $module::$test(World::over(Database::Sqlite(db))?).await
            })*
        }
        mod postgres {
            use super::*;
            $(#[queue_testkit::test(postgres, setup = create_postgres_tables)]
            async fn $test(db: TestPostgres) -> Result<(), BoxError> {
                $module::$test(World::over(Database::Postgres(db))?).await
            })*
        }
    };
}

over_both![
    runs::an_order_is_billed_rendered_mailed_and_reported,
    runs::an_order_that_is_rolled_back_is_not_billed,
    runs::an_import_continues_where_it_stopped,
    runs::each_customer_gets_one_statement_of_a_month,
    webhooks::a_webhook_that_does_not_answer_is_called_four_times,
    webhooks::a_webhook_on_a_real_socket_does_not_time_out,
    webhooks::no_customer_gets_more_than_five_calls_a_second,
    webhooks::a_customer_who_answers_429_is_left_alone,
    crashes::from_an_order_to_the_webhook,
    crashes::of_an_import,
    crashes::of_closing_a_month,
];
