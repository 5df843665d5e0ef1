//! Wherever the program crashes, each effect happens once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use lettre::Message;
use queue_core::backend::Attempt;
use queue_core::{
    BoxError, Job, JobContext, JobId, OutcomeKind, Queue as _, QueueExt as _, Settled, background_job, jobs,
};
use queue_testkit::explore::ExploreError;
use queue_testkit::{KitQueue, TestKit, crash_everywhere};
use stock::catalog;
use stock::database::Database;
use stock::jobs::{mail_product, report_stock};
use stock::mailer::Mailer;
use stock::product::ProductForm;
use stock::report::Reports;
use stock::supplier::Supplier;
use tempfile::TempDir;

/// A mail server that recognizes an e-mail by its `Message-ID`.
#[derive(Default)]
struct Mails(Mutex<BTreeSet<String>>);

#[async_trait]
impl Mailer for Mails {
    async fn send(&self, mail: Message) -> Result<(), BoxError> {
        let id = mail.headers().get_raw("Message-ID").ok_or("an e-mail without an identity")?.to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Ok(())
    }
}

/// Charges, each with its key. A charge with the key of an earlier one counts as the same.
#[derive(Default)]
struct Till(Mutex<Vec<Option<JobId>>>);

impl Till {
    async fn charge(&self, key: Option<JobId>) {
        let mut charges = self.charges();
        if key.is_none() || !charges.contains(&key) {
            charges.push(key);
        }
    }

    fn charges(&self) -> MutexGuard<'_, Vec<Option<JobId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Charges again if it runs again.
#[background_job]
async fn sell_carelessly(#[inject] till: &Till) {
    till.charge(None).await;
}

/// Charges with a key that is the same in each run.
#[background_job]
async fn sell_by_key(#[inject] till: &Till, #[inject] context: &JobContext) {
    till.charge(Some(context.id())).await;
}

/// Charges in the step in which the job completes.
#[background_job]
async fn sell_as_it_completes(#[inject] sale: &mut Sale) {
    sale.add_charge().await;
}

/// A unit of work that settles: its charges are made if the job's completion is recorded, and not otherwise.
struct Sale {
    queue: KitQueue,
    till: Arc<Till>,
    context: JobContext,
    charges: usize,
}

impl Sale {
    async fn add_charge(&mut self) {
        self.charges += 1;
    }

    async fn end(self, outcome: OutcomeKind) -> Result<(), BoxError> {
        if outcome.is_success()
            && self.queue.settle(vec![Attempt::of(&self.context).completion()]).await? == [Settled::Applied]
        {
            self.till.charges().extend(std::iter::repeat_n(None, self.charges));
            Attempt::of(&self.context).note_completed();
        }
        Ok(())
    }
}

/// The state that an invariant checks.
struct Shop {
    mails: Arc<Mails>,
    till: Arc<Till>,
    database: Database,
    _folder: TempDir,
}

/// The application's own services over a catalogue with one product, and a job for that product.
async fn shop<J: Job>(job: J) -> Result<(TestKit, Shop), BoxError> {
    let (mails, till) = (Arc::new(Mails::default()), Arc::new(Till::default()));
    let folder = tempfile::tempdir()?;
    let database = Database::open(folder.path().join("stock.db"))?;
    let reports = Reports::new(folder.path().join("reports"));
    let services =
        stock::app::services(database.clone(), reports, mails.clone(), Supplier::new("http://unused"));
    // The kit's queue exists once the kit is built.
    let queue = Arc::new(OnceLock::<KitQueue>::new());
    let (of, charged) = (queue.clone(), till.clone());
    let begin = move |context: JobContext| {
        let (of, till) = (of.clone(), charged.clone());
        async move {
            let queue = of.get().cloned().ok_or("no queue")?;
            Ok::<_, BoxError>(Sale { queue, till, context, charges: 0 })
        }
    };
    let services = services.singleton_as(till.clone()).unit_of_work(begin, Sale::end);
    let jobs = jobs![mail_product, report_stock, sell_carelessly, sell_by_key, sell_as_it_completes];
    let kit = TestKit::new(jobs).services(services).build()?;
    drop(queue.set(kit.queue().clone()));

    let form = ProductForm { sku: "TEA".to_owned(), name: "Tea".to_owned(), price_cents: 1, stock: 2 };
    let product = form.check()?;
    database.run(move |connection| catalog::add(connection, &product)).await?;
    kit.queue().enqueue(job).await?;
    Ok((kit, Shop { mails, till, database, _folder: folder }))
}

fn charged_once((_, shop): &(TestKit, Shop)) -> Result<(), String> {
    let charges = shop.till.charges().len();
    if charges == 1 { Ok(()) } else { Err(format!("charged {charges} times")) }
}

/// The application's own job: it may send twice, but then it is the same e-mail.
#[tokio::test(start_paused = true)]
async fn wherever_the_program_crashes_one_email_is_sent_and_recorded() -> Result<(), BoxError> {
    let setup = async || shop(mail_product::new("TEA")).await;

    let explored = crash_everywhere(setup).check(|(_, shop)| -> Result<(), String> {
        let mails = shop.mails.0.lock().unwrap();
        let connection =
            rusqlite::Connection::open(shop.database.path()).map_err(|error| error.to_string())?;
        let entry = catalog::find(&connection, "TEA").map_err(|error| error.to_string())?;
        match (mails.len(), entry.is_some_and(|entry| entry.mailed)) {
            (1, true) => Ok(()),
            (count, mailed) => Err(format!("{count} e-mails, noted: {mailed}")),
        }
    });

    assert!(explored.await?.crashes >= 9, "three await points, the unit of work, and the end");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_charges_twice_is_reported_with_its_line() {
    let found = crash_everywhere(async || shop(sell_carelessly::new()).await).check(charged_once).await;

    let Err(ExploreError::Broken { breaks, .. }) = &found else { panic!("{found:?}") };
    let text = found.as_ref().unwrap_err().to_string();
    assert!(text.contains("examples/tests/it/crashes.rs:"), "{text}");
    assert!(text.contains("after `till.charge(None)`, in `sell_carelessly`"), "{text}");
    assert!(breaks.iter().all(|found| found.message == "charged 2 times"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_charges_on_completion_charges_once() -> Result<(), ExploreError> {
    let explored =
        crash_everywhere(async || shop(sell_as_it_completes::new()).await).check(charged_once).await?;

    assert!(explored.crashes >= 5, "{explored:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_charges_with_a_key_charges_once() -> Result<(), ExploreError> {
    let explored = crash_everywhere(async || shop(sell_by_key::new()).await).check(charged_once).await?;

    assert!(explored.crashes >= 3, "{explored:?}");
    Ok(())
}
