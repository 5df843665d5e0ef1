//! Crashes of a job over a database.

use queue_core::{JobError, background_job};
use queue_postgres::{PostgresUnitOfWork, sqlx};

#[background_job]
pub async fn pay_order(#[inject] tx: &mut PostgresUnitOfWork, order: i64) -> Result<(), JobError> {
    let pay = sqlx::query("update orders set payments = payments + 1 where number = $1");
    pay.bind(order).execute(&mut **tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use queue_core::{BoxError, QueueExt as _, jobs};
    use queue_testkit::{TestKit, TestPostgres, crash_everywhere};

    use super::*;

    async fn create_tables(db: &TestPostgres) -> sqlx::Result<()> {
        sqlx::query("create table orders (number bigint, payments int)").execute(db.pool()).await?;
        sqlx::query("insert into orders values (7, 0)").execute(db.pool()).await.map(drop)
    }

    #[queue_testkit::test(postgres, setup = create_tables)]
    async fn an_order_is_paid_once_wherever_a_worker_crashes(db: TestPostgres) -> Result<(), BoxError> {
        let world = async || {
            let db = db.another().await?; // a database for each run
            let unit = db.queue().unit_of_work();
            let kit = TestKit::over(db.queue().clone())
                .jobs(jobs![pay_order])
                .with(|services| services.unit_of_work(unit, PostgresUnitOfWork::end))
                .build()?;
            kit.queue().enqueue(pay_order::new(7)).await?;
            Ok((kit, db))
        };
        let paid_once = async |(_, db): &(TestKit, TestPostgres)| -> sqlx::Result<()> {
            let payments: i32 =
                sqlx::query_scalar("select payments from orders").fetch_one(db.pool()).await?;
            assert_eq!(payments, 1);
            Ok(())
        };

        crash_everywhere(world).check_async(paid_once).await?;
        Ok(())
    }
}
