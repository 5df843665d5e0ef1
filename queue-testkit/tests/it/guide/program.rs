//! A first test of a job over a database.

use queue_core::{JobError, background_job};
use queue_postgres::{PostgresUnitOfWork, sqlx};

#[background_job(max_attempts = 3)]
pub async fn book_order(#[inject] tx: &mut PostgresUnitOfWork, order: i64) -> Result<(), JobError> {
    sqlx::query("insert into bookings (number) values ($1)").bind(order).execute(&mut **tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use queue_core::{BoxError, QueueExt as _, jobs};
    use queue_testkit::{TestKit, TestPostgres};

    use super::*;

    async fn create_tables(db: &TestPostgres) -> sqlx::Result<()> {
        sqlx::query("create table bookings (number bigint)").execute(db.pool()).await.map(drop)
    }

    #[queue_testkit::test(postgres, setup = create_tables)]
    async fn an_order_is_booked(db: TestPostgres) -> Result<(), BoxError> {
        let unit = db.queue().unit_of_work();
        let kit = TestKit::over(db.queue().clone())
            .jobs(jobs![book_order])
            .with(|services| services.unit_of_work(unit, PostgresUnitOfWork::end))
            .build()?;
        kit.queue().enqueue(book_order::new(7)).await?;

        kit.run_until_idle().await?.expect_success();

        let booked: Vec<i64> = sqlx::query_scalar("select number from bookings").fetch_all(db.pool()).await?;
        assert_eq!(booked, [7]);
        Ok(())
    }
}
