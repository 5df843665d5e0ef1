//! Units of work in a kit with a queue of its own (T26).

use std::sync::{Arc, Mutex};

use queue_core::services::RecordsCompletion;
use queue_core::{
    BoxError, JobContext, OutcomeKind, QueueExt as _, Services, ServicesBuilder, background_job, jobs,
};
use queue_testkit::{ModelQueue, TestKit};

type TestResult = Result<(), BoxError>;
type Written = Arc<Mutex<Vec<u32>>>;

/// A transaction that commits in a queue of the application.
struct Transaction {
    written: Written,
    rows: Vec<u32>,
}

impl Transaction {
    async fn end(self, outcome: OutcomeKind) -> Result<(), BoxError> {
        if outcome.is_success() {
            self.written.lock().expect("the rows").extend(self.rows);
        }
        Ok(())
    }
}

#[background_job]
async fn order(#[inject] tx: &mut Transaction, row: u32) {
    tx.rows.push(row);
}

/// The application's own registrations.
fn services() -> ServicesBuilder {
    let begin =
        async |_: JobContext, _: RecordsCompletion| Err::<Transaction, BoxError>("no database".into());
    Services::builder().unit_of_work(begin, Transaction::end)
}

/// T26: a unit of work of another queue is refused when the kit is built, with its name and the way out.
#[test]
fn a_unit_of_work_of_another_queue_is_refused() {
    let refused = TestKit::new(jobs![order]).services(services()).build();

    let error = refused.expect_err("the unit of work can't commit").to_string();
    for part in
        ["job `order`", "`Transaction`", "`TestKit::over(queue)`", "`.replace_unit_of_work(begin, end)`"]
    {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(TestKit::new(jobs![]).services(services()).build().is_ok(), "no job takes it");
    assert!(TestKit::over(ModelQueue::new()).jobs(jobs![order]).services(services()).build().is_ok());
}

/// T26: a replaced unit of work begins and ends as the test says.
#[test]
fn a_unit_of_work_can_be_replaced() -> TestResult {
    queue_testkit::block_on(async {
        let written = Written::default();
        let fake = written.clone();
        let begin = move || {
            let written = fake.clone();
            async move { Ok::<_, BoxError>(Transaction { written, rows: Vec::new() }) }
        };
        let kit = TestKit::new(jobs![order]).services(services());
        let kit = kit.replace_unit_of_work(begin, Transaction::end).build()?;
        kit.queue().enqueue(order::new(7)).await?;

        kit.run_until_idle().await?.expect_success();

        assert_eq!(*written.lock().unwrap(), [7]);
        Ok(())
    })
}

/// T26: there must be one to replace.
#[test]
fn a_unit_of_work_that_is_not_registered_is_not_replaced() {
    let begin = async || Err::<Transaction, BoxError>("no database".into());
    let refused = TestKit::new(jobs![order]).replace_unit_of_work(begin, Transaction::end).build();

    let error = refused.expect_err("there was nothing to replace").to_string();
    assert!(error.contains("found no `Transaction` to replace"), "{error}");
}
