//! The public handle of the queue.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use queue_core::backend::{encode, encode_followups};
use queue_core::{
    Delivery, Demand, Lease, Limits, NewJob, Queue, QueueError, Receipt, Renewal, Settled, Settlement,
    Timestamp, Transition,
};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{PgPool, Row as _};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, oneshot};
use uuid::Uuid;

use crate::batch::{check_storable, micros};
use crate::claiming::{Claim, Claimer, Message, PollInterval};
use crate::config::{PostgresQueueBuilder, Target};
use crate::hearing::Hearing;
use crate::io::{Io, ended};
use crate::listening::Listening;
use crate::pushing::{Patient, Pusher, Request};
use crate::renewing::Renewals;
use crate::rows::{count, instant};
use crate::server::Server;
use crate::settling::{CarefulSettler, Settle, Settler, parts_of};
use crate::unit_connection::Units;
use crate::{migrations, pruning};

/// A queue in a PostgreSQL database.
///
/// Cheap to clone; all clones are the same queue. An acknowledged push is committed.
/// It takes jobs without a bound, starts its own thread for I/O, and works from within any async runtime. Claims that
/// wait on one handle and its clones are served in the order of their calls.
#[derive(Clone)]
pub struct PostgresQueue(Arc<Shared>);

struct Shared {
    pushes: UnboundedSender<Request>,
    claims: UnboundedSender<Message>,
    settles: UnboundedSender<Settle>,
    io: Io,
    server: Arc<Server>,
    renewals: Arc<Renewals>,
    units: Units,
    limits: Limits,
    is_closed: AtomicBool,
}

/// The number of push tasks: while one waits for its commit, the other gathers the next batch.
const PUSHERS: usize = 2;

impl PostgresQueue {
    /// Connects to a database by its URL, `postgres://user:password@host:port/database`, and migrates the schema `queue`,
    /// which is created if it doesn't exist.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresQueueBuilder::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the schema made.
    pub async fn connect(url: impl Into<String>) -> Result<Self, QueueError> {
        Self::builder(url).connect().await
    }

    /// Connects with the options of an application's pool, and begins [units of work](crate::PostgresUnitOfWork) in that
    /// pool.
    ///
    /// The queue opens its own connections outside of the pool, on its own thread, each with the connect options that the
    /// pool has at the time, so that changed credentials apply: see
    /// [`Pool::set_connect_options`](sqlx::Pool::set_connect_options). So jobs that hog the application's runtime, or use
    /// every connection of its pool, don't delay the renewal of leases.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresQueueBuilder::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the schema made.
    pub async fn from_pool(pool: PgPool) -> Result<Self, QueueError> {
        Self::pool_builder(pool).connect().await
    }

    /// Returns a builder for a queue with other settings.
    pub fn builder(url: impl Into<String>) -> PostgresQueueBuilder {
        PostgresQueueBuilder::new(Target::Url(url.into()))
    }

    /// Returns a builder for a queue [from a pool](Self::from_pool) with other settings.
    pub fn pool_builder(pool: PgPool) -> PostgresQueueBuilder {
        PostgresQueueBuilder::new(Target::Pool(pool))
    }

    /// Returns a builder for a queue with the driver's own options, such as certificates.
    pub fn options_builder(options: PgConnectOptions) -> PostgresQueueBuilder {
        PostgresQueueBuilder::new(Target::Options(Box::new(options)))
    }

    /// Migrates the schema `queue` of a database without opening the queue. Concurrent calls migrate it once.
    ///
    /// [`PostgresQueueBuilder::migrate_now`] migrates another schema. To migrate by hand, run the SQL in
    /// `queue-postgres/migrations` and `queue-postgres/functions`.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresQueueBuilder::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the migration done or not started.
    pub async fn migrate(url: impl Into<String>) -> Result<(), QueueError> {
        Self::builder(url).migrate_now().await
    }

    pub(crate) async fn start(settings: PostgresQueueBuilder) -> Result<Self, QueueError> {
        let place = settings.place()?;
        let (pushes, requests) = unbounded_channel();
        let (claims, messages) = unbounded_channel();
        let (settles, ends) = unbounded_channel();
        let (patient, held_up) = unbounded_channel();
        let (careful, blocked) = unbounded_channel();
        let hearing = Arc::new(Hearing::new(settings.poll_interval));
        let poll = PollInterval { interval: settings.poll_interval, hearing: hearing.clone() };
        let server = Arc::new(Server::new(place, claims.downgrade()));
        let io = {
            let (server, release) = (server.clone(), settles.downgrade());
            Io::start(move |_| async move {
                let requests = Arc::new(Mutex::new(requests));
                let pusher = || Pusher::new(requests.clone(), patient.clone(), server.clone()).run();
                let pushers: Vec<_> = (0..PUSHERS).map(|_| pusher()).collect();
                drop(patient);
                let patient = Patient::new(held_up, server.clone()).run();
                let claimer = Claimer::new(messages, release, server.clone(), poll).run();
                let settler = Settler::new(ends, careful, server.clone()).run();
                let careful = CarefulSettler::new(blocked, server.clone()).run();
                // The tasks end when the last handle is dropped, after they have answered all requests sent before.
                tokio::join!(futures_util::future::join_all(pushers), patient, claimer, settler, careful);
            })?
        };
        let units = io.within(|| settings.units(&server.place, &io));
        let opened = {
            let server = server.clone();
            let migrates = settings.migrates;
            async move {
                if migrates {
                    migrations::migrate(&server.place).await
                } else {
                    migrations::check(&server.place).await
                }
            }
        };
        io.run(opened).await?;
        io.keep_running(Listening::new(server.clone(), hearing, settings.poll_interval).run());
        io.keep_running(pruning::run(server.clone(), settings.retention.clone()));
        let renewals = Arc::new(Renewals::new(server.place.clone()));
        let (limits, is_closed) = (settings.limits, AtomicBool::new(false));
        Ok(Self(Arc::new(Shared { pushes, claims, settles, io, server, renewals, units, limits, is_closed })))
    }

    /// Closes the queue for this handle and its clones: pushes and claims, waiting ones too, return `Closed`; leased jobs
    /// can still be renewed and settled. Stored jobs stay stored.
    pub fn close(&self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
        // A claim task that has ended has no waiting claims.
        drop(self.0.claims.send(Message::Close));
    }

    /// Polls at once for jobs that other processes have stored and for jobs that have become due, without waiting for a
    /// notification or the next poll. Returns after the scan.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops waiting for it.
    pub async fn poll_now(&self) {
        let (reply, answer) = oneshot::channel();
        if self.0.claims.send(Message::Look(reply)).is_ok() {
            // A claim task that has ended has nothing to poll for.
            drop(answer.await);
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), QueueError> {
        if self.0.is_closed.load(Ordering::SeqCst) { Err(QueueError::closed()) } else { Ok(()) }
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.0.server
    }

    pub(crate) fn io(&self) -> &Io {
        &self.0.io
    }

    pub(crate) fn units(&self) -> &Units {
        &self.0.units
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }
}

#[async_trait]
impl Queue for PostgresQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.check_open()?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = encode(jobs, self.limits())?;
        check_storable(&jobs)?;
        let (reply, answer) = oneshot::channel();
        self.0.pushes.send(Request { jobs, reply }).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.check_open()?;
        if demand.queues.is_empty() {
            return Err(QueueError::invalid("the claim names no queue"));
        }
        let (reply, mut answer) = oneshot::channel();
        let claim = Claim { demand: demand.clone(), over: None, reply };
        self.0.claims.send(Message::Claim(claim)).map_err(|_| ended())?;
        tokio::select! {
            biased;
            answered = &mut answer => return Ok(answered.map_err(|_| ended())??.received()),
            () = demand.stopped() => self.0.claims.send(Message::Stop).map_err(|_| ended())?,
        }
        // A statement that runs may have leased jobs for this claim: its answer is awaited, never dropped.
        Ok(answer.await.map_err(|_| ended())??.received())
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Renewal>, QueueError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        // Each lease is renewed once, even if the caller passes it several times.
        let mut distinct: Vec<Lease> = Vec::with_capacity(leases.len());
        let mut place_of = HashMap::new();
        let mut places = Vec::with_capacity(leases.len());
        for lease in leases {
            let place = *place_of.entry((lease.job, lease.fence)).or_insert_with(|| {
                distinct.push(lease.clone());
                distinct.len() - 1
            });
            places.push(place);
        }
        let (connections, server) = (self.0.renewals.clone(), self.0.server.clone());
        let shortest = leases.iter().map(|lease| lease.length).min().unwrap_or_default();
        let renew = async move {
            let renewals = connections
                .call(shortest, &|connection| {
                    let renew = server
                        .sql
                        .renew
                        .query()
                        .bind(distinct.iter().map(|lease| lease.job.as_uuid()).collect::<Vec<Uuid>>())
                        .bind(distinct.iter().map(|lease| count(lease.fence.0)).collect::<Vec<_>>())
                        .bind(distinct.iter().map(|lease| micros(lease.length)).collect::<Vec<_>>());
                    let count = distinct.len();
                    Box::pin(async move { renewed(&renew.fetch_all(connection).await?, count) })
                })
                .await?;
            Ok(places.into_iter().filter_map(|place| renewals.get(place).cloned()).collect())
        };
        self.io().run(renew).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let mut settlements = settlements;
        check_supported(&settlements)?;
        let followups = encode_followups(&mut settlements, self.limits())?;
        followups.iter().try_for_each(|followups| check_storable(followups))?;
        let mut answers = Vec::new();
        for (settlements, followups) in parts_of(settlements, followups) {
            let (reply, answer) = oneshot::channel();
            self.0.settles.send(Settle { settlements, followups, reply }).map_err(|_| ended())?;
            answers.push(answer);
        }
        let mut settled = Vec::new();
        for answer in answers {
            settled.extend(answer.await.map_err(|_| ended())??);
        }
        Ok(settled)
    }
}

/// Reads the rows that `renew` returns: one for each lease that is held.
fn renewed(rows: &[PgRow], count: usize) -> sqlx::Result<Vec<Renewal>> {
    let mut renewals = vec![Renewal::Lost; count];
    for row in rows {
        let place: i32 = row.try_get(0)?;
        let (expires_at, cancel): (Timestamp, _) = (instant(row, 1)?, row.try_get(2)?);
        if let Some(renewal) = usize::try_from(place).ok().and_then(|place| renewals.get_mut(place)) {
            *renewal = Renewal::held(expires_at, cancel);
        }
    }
    Ok(renewals)
}

/// Fails for a transition that this backend is too old for.
///
/// Each backend has its own list: queue-core may know more transitions than the backend was written for.
fn check_supported(settlements: &[Settlement]) -> Result<(), QueueError> {
    for settlement in settlements {
        match &settlement.transition {
            Transition::Complete
            | Transition::Retry { .. }
            | Transition::Snooze { .. }
            | Transition::Discard { .. }
            | Transition::Cancel { .. }
            | Transition::Release => {}
            newer => {
                return Err(QueueError::unsupported(format!(
                    "this backend is older than the transition `{newer}`"
                )));
            }
        }
    }
    Ok(())
}

impl fmt::Debug for PostgresQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresQueue").field("place", &self.0.server.place).finish_non_exhaustive()
    }
}
