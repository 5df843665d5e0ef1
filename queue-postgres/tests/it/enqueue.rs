//! Jobs stored by SQL: the function `enqueue`, by itself and in a trigger (D35).

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::admin::{Filter, PageRequest};
use queue_core::{
    Admin as _, Body, BoxError, Demand, JobId, JobRecord, NewJob, Queue as _, Settled, Settlement, State,
    Timestamp, Transition, Unique, background_job, jobs,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::postgres::PgListener;
use queue_postgres::sqlx::{self, AssertSqlSafe, Connection as _, PgConnection};
use queue_tokio::QueueService;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use uuid::Uuid;

use crate::fixture::{NEVER, TestResult, number, queue, run, schema, url};

/// A bound longer than any notification takes, and much shorter than the poll interval.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `enqueue` with these arguments.
async fn enqueue(connection: &mut PgConnection, schema: &str, arguments: &str) -> sqlx::Result<JobId> {
    let call = AssertSqlSafe(format!("select {schema}.enqueue({arguments})"));
    let id: Uuid = sqlx::query_scalar(call).fetch_one(connection).await?;
    Ok(id.into())
}

/// Returns the text of the error of a call of `enqueue`.
async fn refusal(
    connection: &mut PgConnection,
    schema: &str,
    arguments: &str,
) -> Result<(String, String), BoxError> {
    let error = enqueue(connection, schema, arguments).await.expect_err(arguments);
    let error = error.as_database_error().ok_or(arguments)?;
    Ok((error.code().unwrap_or_default().into_owned(), error.message().to_owned()))
}

async fn record(queue: &PostgresQueue, id: JobId) -> Result<JobRecord, BoxError> {
    Ok(queue.get(id).await?.ok_or("the job is gone")?)
}

/// Completes this number of jobs of the default queue.
async fn complete(queue: &PostgresQueue, count: usize) -> TestResult {
    let jobs = queue.claim(&Demand::new("default", 10)).await?;
    assert_eq!(jobs.len(), count);
    let settle = jobs.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
    assert_eq!(queue.settle(settle.collect()).await?, vec![Settled::Applied; count]);
    Ok(())
}

#[background_job(queue = "invoices")]
async fn send_invoice(#[inject] sent: &UnboundedSender<(i64, String)>, order: i64, item: &str) {
    sent.send((order, item.to_owned())).expect("the test receives");
}

/// Creates a table of orders with a trigger that enqueues a job for each new order.
async fn open_shop(connection: &mut PgConnection, schema: &str) -> TestResult {
    let shop = format!(
        "create table {schema}.orders (id bigint generated always as identity, item text not null);
        create function {schema}.order_placed() returns trigger language plpgsql as $$
        begin
            perform {schema}.enqueue(
                'send_invoice', jsonb_build_object('order', new.id, 'item', new.item), queue => 'invoices');
            return null;
        end $$;
        create trigger order_placed after insert on {schema}.orders
        for each row execute function {schema}.order_placed()"
    );
    run(connection, shop).await
}

/// D35
#[tokio::test(flavor = "multi_thread")]
async fn a_service_runs_the_job_of_a_trigger_with_its_payload() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    open_shop(&mut connection, &schema).await?;
    let (sent, mut receives) = unbounded_channel::<(i64, String)>();
    let services = queue_core::Services::builder().singleton(sent).build()?;
    let service = QueueService::new(queue.clone(), jobs![send_invoice]);
    let host = queue_tokio::Host::builder().services(services).service(service).build()?;

    let running = host.start().await?;
    run(&mut connection, format!("insert into {schema}.orders (item) values ('tea'), ('milk')")).await?;
    let mut orders = [receives.recv().await, receives.recv().await];
    running.stop().await?;

    orders.sort();
    assert_eq!(orders, [Some((1, "tea".to_owned())), Some((2, "milk".to_owned()))]);
    Ok(())
}

/// D35, D11: workers wake at the commit, and see nothing before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_claim_wakes_when_the_transaction_of_a_trigger_commits() -> TestResult {
    let schema = schema();
    let queue = PostgresQueue::builder(url()).schema(&schema).poll_interval(NEVER).connect().await?;
    let mut connection = PgConnection::connect(&url()).await?;
    open_shop(&mut connection, &schema).await?;
    let demand = Demand::new("invoices", 1);
    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    run(&mut connection, format!("begin; insert into {schema}.orders (item) values ('tea')")).await?;
    queue.poll_now().await;
    assert!(futures_util::poll!(&mut claim).is_pending(), "the job was visible before the commit");

    run(&mut connection, "commit").await?;

    let deliveries = timeout(PATIENCE, claim).await.map_err(|_| "the claim was not woken")??;
    let [delivery] = &*deliveries else { panic!("one job was stored") };
    assert_eq!(delivery.body.decode::<send_invoice>()?.item, "tea");
    Ok(())
}

/// D35
#[tokio::test]
async fn only_an_enqueue_that_notifies_sends_a_notification() -> TestResult {
    let (_, mut connection, schema) = queue().await?;
    let mut listener = PgListener::connect(&url()).await?;
    listener.listen(&format!("queue_jobs:{schema}")).await?;

    enqueue(&mut connection, &schema, "'work', notify => false").await?;
    run(&mut connection, format!("select pg_notify('queue_jobs:{schema}', 'between')")).await?;
    enqueue(&mut connection, &schema, "'work'").await?;

    let received = [listener.recv().await?, listener.recv().await?];
    assert_eq!(received.each_ref().map(|notification| notification.payload()), ["between", "sql+"]);
    Ok(())
}

/// D35
#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_nothing() -> TestResult {
    let (_, mut connection, schema) = queue().await?;
    open_shop(&mut connection, &schema).await?;
    run(&mut connection, "begin").await?;
    run(&mut connection, format!("insert into {schema}.orders (item) values ('tea')")).await?;
    enqueue(&mut connection, &schema, "'work', queue => 'new', unique_key => 'key'").await?;

    run(&mut connection, "rollback").await?;

    for table in ["jobs", "ready", "waiting", "queues", "unique_keys"] {
        let rows = number(&mut connection, format!("select count(*) from {schema}.{table}")).await?;
        assert_eq!(rows, 0, "{table}");
    }
    Ok(())
}

/// D35: all but the id and the times is as if a program had pushed it.
#[tokio::test]
async fn a_job_of_a_name_and_a_payload_has_the_defaults_of_a_new_job() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let pushed = queue.push(vec![NewJob::new("work", Body::json(r#"{"a": [1]}"#)?)]).await?.remove(0).id();

    let ids = [
        enqueue(&mut connection, &schema, r#"'work', '{"a":[1]}'"#).await?,
        enqueue(
            &mut connection,
            &schema,
            r#"'work', '{"a":[1]}', queue => null, run_at => null, priority => null, max_attempts => null,
            unique_key => null, unique_for => null, unique_replace => null, meta => null, id => null, notify => null"#,
        )
        .await?,
    ];

    let mut expected = record(&queue, pushed).await?;
    for id in ids {
        let found = record(&queue, id).await?;
        assert_eq!(found.run_at, found.pushed_at);
        assert_eq!(id.as_uuid().get_version_num(), 7);
        assert!(id > pushed, "ids sort by their time of creation");
        (expected.id, expected.pushed_at, expected.run_at) = (id, found.pushed_at, found.run_at);
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        assert_eq!(found.body.encode()?, expected.body.encode()?);
    }
    Ok(())
}

/// D35
#[tokio::test]
async fn each_argument_sets_what_it_is_named_for() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;

    let id = enqueue(
        &mut connection,
        &schema,
        r#"'work', '"text"', queue => 'mail', run_at => '2200-01-02 03:04:05.678901+00', priority => -7,
        max_attempts => 3, unique_key => 'key', meta => '{"tenant": "Größe", "b": ""}',
        id => '00000000-0000-0000-0000-0000000000aa'"#,
    )
    .await?;

    let found = record(&queue, id).await?;
    assert_eq!(id, JobId::from_u128(0xaa));
    assert_eq!((found.name.as_str(), found.queue.as_str(), found.state), ("work", "mail", State::Scheduled));
    assert_eq!(found.run_at, Timestamp::from_micros(7_258_215_845_678_901));
    assert_eq!((found.priority, found.max_attempts, found.unique.as_deref()), (-7, 3, Some("key")));
    assert_eq!(found.meta.iter().collect::<Vec<_>>(), [("b", ""), ("tenant", "Größe")]);
    assert_eq!(found.body.decode::<String>()?, "text");
    let past = enqueue(&mut connection, &schema, "'work', run_at => '4713-01-01 BC'").await?;
    let past = record(&queue, past).await?;
    assert_eq!((past.state, past.run_at), (State::Available, past.pushed_at));
    Ok(())
}

/// D35, Q2: both refuse the same jobs with the same words.
#[tokio::test]
async fn a_job_beyond_a_limit_is_refused_as_a_push_refuses_it() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let job = |name: &str| NewJob::new(name, Body::stored("{}"));
    let long = "x".repeat(129);
    let text = |size: usize| Body::stored(format!("\"{}\"", "x".repeat(size)));
    let table = [
        ("''", job("")),
        ("'send mail'", job("send mail")),
        ("repeat('x', 129)", job(&long)),
        ("'work', queue => ''", job("work").queue("")),
        ("'work', queue => 'größe'", job("work").queue("größe")),
        ("'work', queue => repeat('x', 129)", job("work").queue(&*long)),
        ("'work', max_attempts => 0", job("work").max_attempts(0)),
        ("'work', to_jsonb(repeat('x', 1048575))", NewJob::new("work", text(1_048_575))),
        (
            "'work', meta => jsonb_build_object('tenant', repeat('ü', 8190))",
            job("work").meta("tenant", "ü".repeat(8190)),
        ),
    ];

    for (arguments, job) in table {
        let error = queue.push(vec![job]).await.expect_err(arguments);
        let (code, message) = refusal(&mut connection, &schema, arguments).await?;
        assert_eq!(code, "22023", "{message}");
        // A push marks the end of a name that it has cut.
        assert!(error.to_string().replace('…', "").starts_with(&message), "{message}: {error}");
    }
    assert_eq!(number(&mut connection, format!("select count(*) from {schema}.jobs")).await?, 0);
    let largest = [
        "'work', to_jsonb(repeat('x', 1048574))",
        "'work', meta => jsonb_build_object('k', repeat('x', 16383))",
    ];
    for arguments in largest.into_iter().chain(["repeat('x', 128), queue => repeat('A-_.:9', 21)"]) {
        enqueue(&mut connection, &schema, arguments).await?;
    }
    Ok(())
}

/// D35: what only SQL can get wrong.
#[tokio::test]
async fn an_argument_that_has_no_meaning_is_refused_with_what_to_pass() -> TestResult {
    let (_, mut connection, schema) = queue().await?;
    let table = [
        ("null", "`name` is null"),
        ("'work', null", "`payload` is null: pass a JSON value, such as '{}'"),
        ("'work', max_attempts => -1", "`max_attempts` is -1, and must be at least 1"),
        ("'work', meta => '[]'", "`meta` is a JSON array, and must be an object of strings"),
        ("'work', meta => 'null'", "`meta` is a JSON null, and must be an object of strings"),
        ("'work', meta => '{\"n\": 1}'", "`meta` has a JSON number at `n`, and takes strings only"),
        ("'work', unique_key => ''", "`unique_key` is empty: pass null"),
        (
            "'work', unique_key => repeat('ü', 129)",
            "`unique_key` has 258 bytes, the limit is 256: hash the key",
        ),
        ("'work', unique_for => '1 hour'", "need a `unique_key`"),
        ("'work', unique_replace => true", "need a `unique_key`"),
        ("'work', unique_key => 'key', unique_for => '-1 s'", "`unique_for` is -00:00:01, and must not be"),
        ("'work', run_at => 'infinity'", "`run_at` is infinity, which leads past the end of time"),
        ("'work', run_at => '-infinity'", "`run_at` is -infinity: pass null for a job that is due now"),
        ("'work', run_at => '294260-01-01'", "leads past the end of time"),
    ];

    for (arguments, why) in table {
        let (code, message) = refusal(&mut connection, &schema, arguments).await?;
        assert_eq!(code, "22023", "{message}");
        assert!(message.contains(why), "{arguments}: {message}");
    }
    assert_eq!(number(&mut connection, format!("select count(*) from {schema}.jobs")).await?, 0);
    Ok(())
}

/// D35, Q51
#[tokio::test]
async fn a_held_unique_key_returns_its_holder_or_replaces_it() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let first = enqueue(&mut connection, &schema, "'work', '1', unique_key => 'key'").await?;

    let second = enqueue(&mut connection, &schema, "'work', '2', unique_key => 'key'").await?;
    let pushed = NewJob::new("work", Body::stored("3")).unique("key");
    assert_eq!((second, queue.push(vec![pushed]).await?[0].id()), (first, first));
    assert_eq!(&*record(&queue, first).await?.body.encode()?, "1");
    let replaced = enqueue(
        &mut connection,
        &schema,
        "'work', '4', priority => 9, unique_key => 'key', unique_replace => true",
    )
    .await?;
    let found = record(&queue, first).await?;
    assert_eq!((replaced, found.priority, &*found.body.encode()?), (first, 9, "4"));
    let other = enqueue(&mut connection, &schema, "'other', unique_key => 'key'").await?;
    assert_ne!(other, first, "keys are compared within a name");

    complete(&queue, 2).await?;
    let hour = "'work', unique_key => 'key', unique_for => '1 hour'";
    let third = enqueue(&mut connection, &schema, hour).await?;
    assert_ne!(third, first, "the holder has finished");
    complete(&queue, 1).await?;
    assert_eq!(enqueue(&mut connection, &schema, hour).await?, third, "the window is open");
    let within = NewJob::new("work", Body::stored("5")).unique(Unique::new("key"));
    assert_eq!(queue.push(vec![within]).await?[0].id(), third);
    Ok(())
}

/// D35: a repeated call whose answer was lost stores the job once.
#[tokio::test]
async fn the_same_id_twice_stores_one_job() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let id = "id => '00000000-0000-0000-0000-000000000007'";

    for payload in ["1", "2"] {
        let call = format!("'work', '{payload}', {id}");
        assert_eq!(enqueue(&mut connection, &schema, &call).await?, JobId::from_u128(7));
        let call = format!("'work', '{payload}', unique_key => 'key', {id}");
        assert_eq!(enqueue(&mut connection, &schema, &call).await?, JobId::from_u128(7));
    }

    let page = queue.list(&Filter::all(), &PageRequest::first(10)).await?;
    assert_eq!(page.jobs.len(), 1);
    assert_eq!(&*record(&queue, JobId::from_u128(7)).await?.body.encode()?, "1");
    Ok(())
}

/// D35: also in a transaction of its own snapshot.
#[tokio::test]
async fn an_unknown_queue_is_created() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    for (level, name) in [("read committed", "one"), ("repeatable read", "two"), ("serializable", "three")] {
        run(&mut connection, format!("begin isolation level {level}; select 1")).await?;
        for _ in 0..2 {
            enqueue(&mut connection, &schema, &format!("'work', queue => '{name}'")).await?;
        }
        run(&mut connection, "commit").await?;

        let demand = Demand::new(name, 10).wait(Duration::ZERO);
        assert_eq!(queue.claim(&demand).await?.len(), 2, "{level}");
    }
    let violations =
        number(&mut connection, format!("select count(*) from {schema}.check_integrity()")).await?;
    assert_eq!(violations, 0);
    Ok(())
}

/// A payload of many types. Its fields are in none of the orders that `jsonb` sorts keys by.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    zebra: u64,
    ape: i64,
    bee: f64,
    small: f64,
    text: String,
    nothing: Option<u8>,
    list: Vec<(String, bool)>,
    kind: Kind,
    map: BTreeMap<String, Kind>,
    a: char,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tag", rename_all = "lowercase")]
enum Kind {
    Order { zulu: u8, tag2: String },
    Refund,
}

/// D35: `jsonb` sorts keys, writes spaces, and keeps every number.
#[tokio::test]
async fn a_payload_that_jsonb_has_rewritten_decodes_to_the_same_value() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let order = || Kind::Order { zulu: 3, tag2: "\\ \" \n \u{7f} 🦀 ü".to_owned() };
    let value = Everything {
        zebra: u64::MAX,
        ape: i64::MIN,
        bee: 6.022_140_76e23,
        small: 0.1 + 0.2,
        text: "→ \u{fffd} \u{10ffff}".to_owned(),
        nothing: None,
        list: vec![("z".to_owned(), true), ("a".to_owned(), false)],
        kind: order(),
        map: [("zz".to_owned(), Kind::Refund), ("b".to_owned(), order())].into(),
        a: '\'',
    };
    let text = Body::typed(value).encode()?;

    let call = AssertSqlSafe(format!("select {schema}.enqueue('everything', $1::jsonb)"));
    let id: Uuid = sqlx::query_scalar(call).bind(&*text).fetch_one(&mut connection).await?;

    let stored = record(&queue, id.into()).await?.body;
    assert_ne!(stored.encode()?, text, "the text was stored unchanged, so this test shows nothing");
    assert_eq!(stored.decode::<Everything>()?, Body::stored(text).decode()?);
    Ok(())
}
