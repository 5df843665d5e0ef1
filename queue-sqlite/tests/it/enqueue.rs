//! Jobs stored by SQL: inserts into the view `queue_enqueue`, by themselves and in a trigger (D35).

use std::time::Duration;

use queue_core::{
    Admin as _, Body, Demand, Event, JobId, JobRecord, NewJob, Queue as _, QueueExt as _, Settled,
    Settlement, State, Timestamp, Transition, background_job, jobs,
};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::{self, Connection, ToSql, params};
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::fixture::TestResult;

/// A queue, and a connection of another program to its file.
struct Shop {
    queue: SqliteQueue,
    connection: Connection,
    _folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("shop.db");
        let queue = SqliteQueue::open(&path).await?;
        let connection = Connection::open(&path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        Ok(Self { queue, connection, _folder: folder })
    }

    /// Inserts a job with this id and one more column.
    fn enqueue(&self, id: u128, column: &str, value: impl ToSql) -> rusqlite::Result<JobId> {
        let insert = format!("insert into queue_enqueue (name, id, {column}) values ('work', ?1, ?2)");
        self.connection.execute(&insert, params![id.to_be_bytes(), value])?;
        Ok(JobId::from_u128(id))
    }

    async fn record(&self, id: JobId) -> Result<JobRecord, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.queue.get(id).await?.ok_or("the job is gone")?)
    }

    /// Completes this number of jobs of the default queue.
    async fn complete(&self, count: usize) -> TestResult {
        let jobs = self.queue.claim(&Demand::new("default", 10)).await?;
        assert_eq!(jobs.len(), count);
        let settle = jobs.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
        assert_eq!(self.queue.settle(settle.collect()).await?, vec![Settled::Applied; count]);
        Ok(())
    }

    fn count(&self, table: &str) -> rusqlite::Result<i64> {
        self.connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0))
    }
}

#[background_job(queue = "invoices")]
async fn send_invoice(#[inject] sent: &UnboundedSender<(i64, String)>, order: i64, item: &str) {
    sent.send((order, item.to_owned())).expect("the test receives");
}

/// A table of orders with a trigger that enqueues a job for each new order.
const ORDERS: &str = "
    create table orders (id integer primary key, item text not null);
    create trigger order_placed after insert on orders begin
        insert into queue_enqueue (name, payload, queue)
        values ('send_invoice', json_object('item', new.item, 'order', new.id), 'invoices');
    end";

/// D35
#[tokio::test(flavor = "multi_thread")]
async fn a_service_runs_the_job_of_a_trigger_with_its_payload() -> TestResult {
    let shop = Shop::open().await?;
    shop.connection.execute_batch(ORDERS)?;
    let (sent, mut receives) = unbounded_channel::<(i64, String)>();
    let services = queue_core::Services::builder().singleton(sent).build()?;
    let service = QueueService::new(shop.queue.clone(), jobs![send_invoice]);
    let host = Host::builder().services(services).service(service).build()?;

    let running = host.start().await?;
    shop.connection.execute("insert into orders (item) values ('tea'), ('milk')", [])?;
    let orders = [receives.recv().await, receives.recv().await];
    running.stop().await?;

    let mut orders = orders.map(Option::unwrap_or_default);
    orders.sort();
    assert_eq!(orders, [(1, "tea".to_owned()), (2, "milk".to_owned())]);
    Ok(())
}

/// D35, D11: a claim that waits finds the job at the poll after the commit, and nothing before.
#[tokio::test]
async fn a_waiting_claim_finds_the_job_of_a_transaction_when_it_commits() -> TestResult {
    let mut shop = Shop::open().await?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(shop.queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    shop.queue.poll_now().await;
    let tx = shop.connection.transaction()?;
    tx.execute("insert into queue_enqueue (name) values ('work')", [])?;
    shop.queue.poll_now().await;
    assert!(futures_util::poll!(&mut claim).is_pending(), "the job was visible before the commit");

    tx.commit()?;

    let deliveries =
        tokio::time::timeout(Duration::from_secs(30), claim).await.map_err(|_| "no wakeup")??;
    assert_eq!(deliveries.len(), 1);
    Ok(())
}

/// D35
#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_nothing() -> TestResult {
    let mut shop = Shop::open().await?;
    shop.connection.execute_batch(ORDERS)?;
    let tx = shop.connection.transaction()?;
    tx.execute("insert into orders (item) values ('tea')", [])?;
    tx.execute(
        "insert into queue_enqueue (name, payload) values ('work', ?1)",
        [format!("\"{}\"", "x".repeat(600))],
    )?;

    tx.rollback()?;

    for table in ["queue_jobs", "queue_names", "queue_payloads"] {
        assert_eq!(shop.count(table)?, 0, "{table}");
    }
    Ok(())
}

/// D35: all but the id and the times is as if a program had pushed it.
#[tokio::test]
async fn a_job_of_a_name_and_a_payload_has_the_defaults_of_a_new_job() -> TestResult {
    let shop = Shop::open().await?;
    for payload in [r#"{"a":[1]}"#.to_owned(), format!("\"{}\"", "x".repeat(600))] {
        let job = NewJob::new("work", Body::json(payload.clone())?);
        let pushed = shop.queue.push(vec![job]).await?.remove(0).id();

        let id = shop.enqueue(u128::from(payload.len() as u64), "payload", &payload)?;

        let (mut expected, found) = (shop.record(pushed).await?, shop.record(id).await?);
        assert_eq!(found.run_at, found.pushed_at);
        assert!(found.pushed_at.saturating_add(Duration::from_secs(60)) > expected.pushed_at, "{found:?}");
        (expected.id, expected.pushed_at, expected.run_at) = (id, found.pushed_at, found.run_at);
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        assert_eq!(&*found.body.encode()?, payload);
    }
    // The other columns, too: `seq`, `id` and the times differ.
    let rest = "select count(*) from (select distinct queue_id, name, state, priority, attempt, max_attempts, fence, claimed_at,
        state_time, unique_key, unique_until, owns_unique_key, cancel_reason, payload, meta, payload_is_external from queue_jobs)";
    assert_eq!(shop.connection.query_row(rest, [], |row| row.get::<_, i64>(0))?, 2);
    Ok(())
}

/// D35
#[tokio::test]
async fn an_id_that_is_left_out_is_a_random_uuid() -> TestResult {
    let shop = Shop::open().await?;
    for _ in 0..50 {
        shop.connection.execute("insert into queue_enqueue (name) values ('work')", [])?;
    }

    let jobs = shop.queue.claim(&Demand::new("default", 100)).await?;

    assert_eq!(jobs.len(), 50);
    for job in jobs {
        let id = job.id().as_uuid();
        assert_eq!((id.get_version_num(), id.as_bytes()[8] >> 6), (4, 2), "{id}");
    }
    Ok(())
}

/// D35
#[tokio::test]
async fn each_column_sets_what_it_is_named_for() -> TestResult {
    let shop = Shop::open().await?;
    shop.connection.execute_batch(
        r#"insert into queue_enqueue (name, payload, queue, run_at, priority, max_attempts, unique_key, meta, id) values
        ('work', '"text"', 'mail', '2200-01-02 04:04:05.678+01:00', -7, 3, 'key', '{"tenant": "Größe", "b": ""}',
        x'000000000000000000000000000000aa')"#,
    )?;

    let found = shop.record(JobId::from_u128(0xaa)).await?;

    assert_eq!((found.name.as_str(), found.queue.as_str(), found.state), ("work", "mail", State::Scheduled));
    assert_eq!(found.run_at, Timestamp::from_micros(7_258_215_845_678_000));
    assert_eq!((found.priority, found.max_attempts, found.unique.as_deref()), (-7, 3, Some("key")));
    assert_eq!(found.meta.iter().collect::<Vec<_>>(), [("b", ""), ("tenant", "Größe")]);
    assert_eq!(found.body.decode::<String>()?, "text");
    let past = shop.record(shop.enqueue(1, "run_at", "1969-07-20")?).await?;
    assert_eq!((past.state, past.run_at), (State::Available, past.pushed_at));
    Ok(())
}

/// D35, Q2: the limits are those of a push.
#[tokio::test]
async fn a_job_beyond_a_limit_is_refused_with_what_to_do() -> TestResult {
    const NAME: &str = "must be 1 to 128 of the characters `A-Z a-z 0-9 _ . : -`";
    const META: &str = "`meta` must be a JSON object of strings";
    let shop = Shop::open().await?;
    let text = |value: &str| Box::new(value.to_owned()) as Box<dyn ToSql>;
    let quoted = |size| text(&format!("\"{}\"", "x".repeat(size)));
    let table: Vec<(&str, Box<dyn ToSql>, &str)> = vec![
        ("queue", text(""), NAME),
        ("queue", text("send mail"), NAME),
        ("queue", text("größe"), NAME),
        ("queue", text("nul\0"), NAME),
        ("queue", text(&"x".repeat(129)), NAME),
        ("queue", Box::new(5), NAME),
        ("payload", text("{"), "`payload` must be JSON text"),
        ("payload", text("{a: 1}"), "`payload` must be JSON text"),
        ("payload", Box::new(b"{}".to_vec()), "`payload` must be JSON text"),
        ("payload", quoted(1_048_575), "`payload` has more than 1048576 bytes: store the data elsewhere"),
        ("run_at", text("soon"), "`run_at` must be UTC as text, such as datetime('now', '+5 minutes')"),
        ("run_at", Box::new(1_700_000_000), "`run_at` must be UTC as text"),
        ("priority", Box::new(1_i64 << 31), "`priority` must be an integer of 32 bits"),
        ("priority", Box::new(0.5), "`priority` must be an integer of 32 bits"),
        ("max_attempts", Box::new(0), "`max_attempts` must be an integer from 1 to 4294967295"),
        ("max_attempts", Box::new(1_i64 << 32), "`max_attempts` must be an integer from 1"),
        ("unique_key", text(""), "`unique_key` must be text of 1 to 256 bytes: hash a longer key"),
        ("unique_key", text(&"ü".repeat(129)), "`unique_key` must be text of 1 to 256 bytes"),
        ("meta", text("x"), META),
        ("meta", text("[]"), META),
        ("meta", text("null"), META),
        ("meta", text("{\"n\": 1}"), META),
        ("meta", text(&format!("{{\"k\": \"{}\"}}", "ü".repeat(8_192))), "`meta` has more than 16384 bytes"),
        ("id", text("4"), "`id` must be a blob of 16 bytes"),
    ];

    for conflict in ["", "or ignore", "or replace"] {
        for (column, value, why) in &table {
            let insert = format!("insert {conflict} into queue_enqueue (name, {column}) values ('work', ?1)");
            let error = shop.connection.execute(&insert, [value]).expect_err(why);
            assert!(error.to_string().contains(why), "{column}: {error}");
        }
        for name in [None, Some(""), Some("send mail"), Some(&*"x".repeat(129))] {
            let insert = format!("insert {conflict} into queue_enqueue (name) values (?1)");
            let error = shop.connection.execute(&insert, [name]).expect_err(NAME);
            assert!(error.to_string().contains(NAME), "{name:?}: {error}");
        }
    }
    assert_eq!((shop.count("queue_jobs")?, shop.count("queue_names")?), (0, 0));
    shop.enqueue(1, "payload", format!("\"{}\"", "x".repeat(1_048_574)))?;
    shop.enqueue(2, "meta", format!("{{\"k\": \"{}\"}}", "x".repeat(16_383)))?;
    shop.enqueue(3, "queue", "A-_.:9".repeat(21))?;
    assert_eq!(shop.queue.claim(&Demand::new("default", 5)).await?.len(), 2);
    Ok(())
}

/// D35
#[tokio::test]
async fn a_held_unique_key_or_a_known_id_stores_nothing() -> TestResult {
    let shop = Shop::open().await?;
    let first = shop.enqueue(1, "unique_key", "key")?;

    let second = shop.enqueue(2, "unique_key", "key")?;
    let pushed = NewJob::new("work", Body::stored("3")).unique("key");
    assert_eq!(shop.queue.push(vec![pushed]).await?[0].id(), first);
    shop.enqueue(1, "payload", "4")?;
    assert_eq!((shop.queue.get(second).await?.is_none(), shop.count("queue_jobs")?), (true, 1));
    assert_eq!(&*shop.record(first).await?.body.encode()?, "{}");

    shop.complete(1).await?;
    shop.enqueue(1, "unique_key", "key")?;
    let third = shop.enqueue(3, "unique_key", "key")?;
    let pushed = NewJob::new("work", Body::stored("5")).unique("key");
    assert_eq!(shop.queue.push(vec![pushed]).await?[0].id(), third);
    assert_eq!(shop.count("queue_jobs")?, 2);
    Ok(())
}

/// D35: the writer has not ended the lease yet.
#[tokio::test]
async fn a_job_whose_last_lease_has_expired_does_not_hold_its_key() -> TestResult {
    let shop = Shop::open().await?;
    for attempts in [1, 2] {
        let insert = "insert into queue_enqueue (name, unique_key, max_attempts) values ('work', ?1, ?2)";
        shop.connection.execute(insert, params![attempts.to_string(), attempts])?;
    }
    let jobs = shop.queue.claim(&Demand::new("default", 2).lease(Duration::from_micros(1))).await?;
    let expired = jobs.iter().map(|job| job.lease.expires_at.as_micros()).max().ok_or("two jobs")?;
    let now = || shop.connection.query_row("select now from queue_clock", [], |row| row.get::<_, i64>(0));
    while now()? < expired {}

    let (ended, retried) = (shop.enqueue(3, "unique_key", "1")?, shop.enqueue(4, "unique_key", "2")?);

    assert!(shop.queue.get(ended).await?.is_some());
    assert!(shop.queue.get(retried).await?.is_none());
    Ok(())
}

/// D35: the settings of the `sqlite3` shell, and one that changes how triggers run.
#[tokio::test]
async fn a_connection_that_trusts_no_schema_can_enqueue() -> TestResult {
    let shop = Shop::open().await?;
    shop.connection.execute_batch("pragma trusted_schema = off; pragma recursive_triggers = on")?;

    let id = shop.enqueue(1, "meta", r#"{"tenant": "acme"}"#)?;

    assert_eq!(shop.record(id).await?.meta.get("tenant"), Some("acme"));
    Ok(())
}

/// D35: the clause of the insert overrides those within the trigger.
#[tokio::test]
async fn no_conflict_clause_replaces_a_queue_or_a_job() -> TestResult {
    let shop = Shop::open().await?;
    let first = shop.queue.push(vec![NewJob::new("work", Body::stored("1")).unique("key")]).await?[0].id();
    let names = |shop: &Shop| {
        shop.connection.query_row("select queue_id, name from queue_names", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
    };
    let before = names(&shop)?;

    for conflict in ["replace", "ignore", "abort", "fail", "rollback"] {
        let insert = format!(
            "insert or {conflict} into queue_enqueue (name, unique_key, id) values ('work', 'key', ?1)"
        );
        shop.connection.execute(&insert, [first.as_u128().to_be_bytes()])?;
        shop.connection.execute(&insert, [2_u128.to_be_bytes()])?;
    }

    assert_eq!((names(&shop)?, shop.count("queue_jobs")?), (before, 1));
    assert_eq!(&*shop.record(first).await?.body.encode()?, "1");
    Ok(())
}

#[background_job]
async fn work(number: u32) {
    let _: u32 = number;
}

/// D35, H8: text of another program that is not UTF-8, and meta that only SQLite takes for JSON.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_broken_text_is_discarded_and_delays_no_other() -> TestResult {
    let shop = Shop::open().await?;
    let recorder = Recorder::with_deadline(Duration::from_secs(60));
    shop.connection.execute_batch(
        r#"insert into queue_enqueue (name, payload) values ('work', cast(x'22ff22' as text));
        insert into queue_enqueue (name, payload, meta) values ('work', '{"number":1}', '{"a":"\ud800"}');
        insert into queue_enqueue (name, payload, meta)
            values ('work', '{"number":1}', '{"a":"' || cast(x'e9' as text) || printf('%.600c', 'x') || '"}');
        insert into queue_enqueue (name, payload, unique_key) values ('work', '{"number":1}', cast(x'e9' as text));"#,
    )?;
    let service = QueueService::new(shop.queue.clone(), jobs![work]).observe(recorder.clone());
    let running = Host::builder().service(service).build()?.start().await?;

    let last = shop.queue.enqueue(work::new(1)).await?.id();
    recorder
        .wait_for("the last job's end", |event| matches!(event, Event::Settled { job, .. } if job.id == last))
        .await;
    running.stop().await?;

    let page = shop
        .queue
        .list(&queue_core::admin::Filter::all(), &queue_core::admin::PageRequest::first(10))
        .await?;
    let states: Vec<_> = page.jobs.iter().map(|job| job.state).collect();
    let (discarded, completed) = (State::Discarded, State::Completed);
    assert_eq!(states, [discarded, discarded, discarded, completed, completed]);
    assert_eq!(page.jobs[3].unique.as_deref(), Some("\u{fffd}"));
    Ok(())
}
