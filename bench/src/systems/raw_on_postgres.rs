//! Statements through `tokio-postgres`: the upper bound of PostgreSQL here.
//!
//! One table with one partial index, prepared statements, row numbers as ids, no fences, and finished jobs are deleted.
//! Each enqueuing task has a connection of its own, and each single job is one transaction. Four workers claim 500 jobs by
//! an update, run them, and delete them; if there are none, they wait for a notification.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::{Payload, Producer, Scratch, System, Tally};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Statement};

/// The number of jobs claimed, and deleted, by one statement.
const CLAIMED: i64 = 500;
/// The number of workers: more of them are no faster on two cores.
const CLAIMERS: usize = 4;
/// The number of enqueuing connections.
const ENTRANCES: usize = 32;

const TABLE: &str = "
    create table if not exists jobs (
        id bigserial primary key,
        queue text not null default 'default',
        priority smallint not null default 0,
        run_at timestamptz not null default now(),
        state smallint not null default 0,
        attempts smallint not null default 0,
        locked_at timestamptz,
        payload jsonb not null
    );
    create index if not exists ready on jobs (queue, priority, run_at, id) where state = 0;";

const INSERT: &str = "insert into jobs (payload) values ($1::text::jsonb)";

const INSERT_AND_NOTIFY: &str =
    "with stored as (insert into jobs (payload) values ($1::text::jsonb)) select pg_notify('jobs', '')";

const INSERT_MANY: &str = "insert into jobs (payload) select payload::jsonb from unnest($1::text[]) payload";

const CLAIM: &str = "
    update jobs set state = 1, attempts = attempts + 1, locked_at = now() where id in (
        select id from jobs where queue = 'default' and state = 0 and run_at <= now()
        order by priority, run_at, id limit $1 for update skip locked
    ) returning id, payload::text";

const DELETE: &str = "delete from jobs where id = any ($1::bigint[])";

pub(crate) struct RawOnPostgres {
    options: Config,
    entrances: Vec<Arc<Entrance>>,
    taken: AtomicUsize,
    /// Whether workers wait for jobs, so that each insert must notify.
    is_awaited: bool,
    tally: Tally,
}

impl System for RawOnPostgres {
    type Producer = Inserts;
    type Workers = JoinSet<()>;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let options = scratch.database().await?.options();
        connect(&options).await?.batch_execute(TABLE).await?;
        let mut entrances = Vec::new();
        for _ in 0..ENTRANCES {
            entrances.push(Arc::new(Entrance::open(&options).await?));
        }
        Ok(Self { options, entrances, taken: AtomicUsize::new(0), is_awaited: false, tally })
    }

    fn producer(&self) -> Inserts {
        let place = self.taken.fetch_add(1, Ordering::Relaxed) % ENTRANCES;
        Inserts { entrance: self.entrances[place].clone(), is_awaited: self.is_awaited }
    }

    /// Starts the number of workers that is fastest: the number of concurrent jobs does not matter for empty jobs.
    async fn start(&mut self, _workers: usize) -> anyhow::Result<JoinSet<()>> {
        let mut running = JoinSet::new();
        let stored = Arc::new(Notify::new());
        listen(&self.options, stored.clone(), &mut running).await?;
        self.is_awaited = true;
        for _ in 0..CLAIMERS {
            let (client, stored, tally) = (connect(&self.options).await?, stored.clone(), self.tally);
            running.spawn(async move {
                if let Err(error) = work(&client, &stored, tally).await {
                    eprintln!("the raw statements ended: {error}");
                }
            });
        }
        Ok(running)
    }
}

/// An enqueuing connection with its statements.
struct Entrance {
    client: Client,
    insert: Statement,
    insert_and_notify: Statement,
    insert_many: Statement,
}

impl Entrance {
    async fn open(options: &Config) -> anyhow::Result<Self> {
        let client = connect(options).await?;
        let insert = client.prepare(INSERT).await?;
        let insert_and_notify = client.prepare(INSERT_AND_NOTIFY).await?;
        let insert_many = client.prepare(INSERT_MANY).await?;
        Ok(Self { client, insert, insert_and_notify, insert_many })
    }
}

pub(crate) struct Inserts {
    entrance: Arc<Entrance>,
    is_awaited: bool,
}

impl Producer for Inserts {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        let Entrance { client, insert, insert_and_notify, .. } = &*self.entrance;
        let statement = if self.is_awaited { insert_and_notify } else { insert };
        client.execute(statement, &[&serde_json::to_string(&payload)?]).await?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let Entrance { client, insert_many, .. } = &*self.entrance;
        let payloads: Vec<_> = payloads.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        client.execute(insert_many, &[&payloads]).await?;
        Ok(())
    }
}

async fn connect(options: &Config) -> anyhow::Result<Client> {
    let (client, connection) = options.connect(NoTls).await?;
    tokio::spawn(async move {
        // Callers of the client get the connection's error.
        drop(connection.await);
    });
    Ok(client)
}

/// Wakes a worker for each notification, until the tasks of `running` are aborted.
async fn listen(options: &Config, stored: Arc<Notify>, running: &mut JoinSet<()>) -> anyhow::Result<()> {
    let (client, mut connection) = options.connect(NoTls).await?;
    running.spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(_) = message {
                stored.notify_one();
            }
        }
    });
    client.batch_execute("listen jobs").await?;
    running.spawn(async move {
        let _client = client;
        std::future::pending::<()>().await;
    });
    Ok(())
}

/// Claims, runs and deletes jobs; waits for a notification if there are none.
async fn work(client: &Client, stored: &Notify, tally: Tally) -> anyhow::Result<()> {
    let claim = client.prepare(CLAIM).await?;
    let delete = client.prepare(DELETE).await?;
    loop {
        let claimed = client.query(&claim, &[&CLAIMED]).await?;
        if claimed.is_empty() {
            stored.notified().await;
            continue;
        }
        let mut ids: Vec<i64> = Vec::with_capacity(claimed.len());
        for row in claimed {
            let payload: Payload = serde_json::from_str(row.get(1))?;
            tally.run(payload.user_id, &payload.template);
            ids.push(row.get(0));
        }
        client.execute(&delete, &[&ids]).await?;
    }
}
