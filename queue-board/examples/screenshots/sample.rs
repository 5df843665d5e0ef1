//! Jobs as a shop has them, in queues of different sizes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use queue_core::table::Retention;
use queue_core::{Admin as _, Delivery};
use queue_core::{
    Announcement, Body, BoxError, BoxFuture, Clock, Demand, Heartbeat, JobId, JobProgress, NewJob,
    Queue as _, QueueExt as _, Settlement, StoredResult, Timestamp, Transition,
};
use queue_tokio::MemoryQueue;

/// A clock that is behind by some milliseconds, so that jobs can be pushed in the past.
#[derive(Clone, Default)]
struct LateClock(Arc<AtomicU64>);

impl LateClock {
    fn set_behind(&self, by: Duration) {
        self.0.store(u64::try_from(by.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }
}

impl Clock for LateClock {
    fn now(&self) -> Timestamp {
        Timestamp::from(SystemTime::now())
            .saturating_sub(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A queue with its jobs.
pub(crate) struct Sample {
    pub(crate) queue: MemoryQueue,
    clock: LateClock,
    /// The jobs to take pictures of, by name.
    jobs: Vec<(&'static str, JobId)>,
}

const KINDS: [(&str, &str, &str); 6] = [
    ("send_receipt", "mail", "order"),
    ("send_welcome", "mail", "user_id"),
    ("resize_photo", "photos", "photo"),
    ("build_report", "reports", "year"),
    ("sync_stock", "supplier", "sku"),
    ("charge_card", "payments", "order"),
];

/// A worker that announces itself.
#[derive(Clone, Copy)]
struct Worker {
    id: &'static str,
    service: &'static str,
    queues: &'static [&'static str],
    concurrency: u32,
    running: u32,
    /// For how long an announcement counts, in seconds.
    valid_for: u64,
}

const WORKERS: [Worker; 3] = [
    Worker {
        id: "web-1/4711/mails",
        service: "mails",
        queues: &["mail", "photos"],
        concurrency: 32,
        running: 0,
        valid_for: 3_600,
    },
    Worker {
        id: "web-2/812/reports",
        service: "reports",
        queues: &["reports", "payments"],
        concurrency: 8,
        running: 1,
        valid_for: 3_600,
    },
    Worker {
        id: "web-3/99/supplier",
        service: "supplier",
        queues: &["supplier"],
        concurrency: 4,
        running: 0,
        valid_for: 30,
    },
];

const ERRORS: [&str; 3] = [
    "could not reach mail.example.com:587: connection timed out after 30 s",
    "the supplier answered 503 Service Unavailable",
    "card 4242 was declined: insufficient funds",
];

impl Sample {
    fn new() -> Self {
        let clock = LateClock::default();
        let queue = MemoryQueue::builder()
            .unbounded()
            .clock(clock.clone())
            .retention(Retention::everything())
            .build();
        Self { queue, clock, jobs: Vec::new() }
    }

    pub(crate) async fn empty() -> Result<Self, BoxError> {
        Ok(Self::new())
    }

    /// Twelve jobs, one of each state and some more.
    pub(crate) async fn few() -> Result<Self, BoxError> {
        let mut sample = Self::new();
        sample.history(4, Duration::from_secs(600), Duration::from_secs(420)).await?;
        sample.present(1).await?;
        Ok(sample)
    }

    /// Some thousands of jobs.
    pub(crate) async fn many() -> Result<Self, BoxError> {
        let mut sample = Self::new();
        sample.history(24_000, Duration::from_secs(85_000), Duration::from_secs(3_600)).await?;
        sample.history(2_000, Duration::from_secs(3_600), Duration::from_secs(420)).await?;
        sample.present(40).await?;
        Ok(sample)
    }

    pub(crate) fn pages(&self) -> Vec<(String, String)> {
        let fixed = [
            ("now", ""),
            ("jobs", "/jobs"),
            ("discarded", "/jobs?state=discarded"),
            ("workers", "/workers"),
            ("names", "/names"),
            ("enqueue", "/enqueue"),
        ];
        let fixed = fixed.map(|(name, path)| (name.to_owned(), path.to_owned()));
        let jobs = self.jobs.iter().map(|(name, id)| (format!("job-{name}"), format!("/jobs/{id}")));
        fixed.into_iter().chain(jobs).collect()
    }

    fn job(number: usize) -> NewJob {
        let (name, queue, field) = KINDS[(number.wrapping_mul(2_654_435_761) >> 9) % KINDS.len()];
        let value =
            if field == "sku" { format!("\"TEA-{number}\"") } else { (1000 + number * 7).to_string() };
        NewJob::new(name, Body::stored(format!("{{\"{field}\": {value}, \"locale\": \"en\"}}")))
            .queue(queue)
            .meta("tenant", if number.is_multiple_of(3) { "acme" } else { "globex" })
    }

    async fn claim(&self, queue: &str, worker: &str) -> Result<Vec<Delivery>, BoxError> {
        let demand = Demand::new(queue, 1).worker(worker).wait(Duration::ZERO);
        Ok(self.queue.claim(&demand.lease(Duration::from_secs(3_600))).await?)
    }

    /// Runs jobs that finished between two times ago. The clock of a queue never goes back, so later jobs come later.
    async fn history(&mut self, jobs: usize, from: Duration, until: Duration) -> Result<(), BoxError> {
        for number in 0..jobs {
            let part = number as f64 / jobs as f64;
            // More in some minutes than in others.
            let part = (part + 0.012 * (part * 60.0).sin()).clamp(0.0, 1.0);
            let behind = until + (from - until).mul_f64(1.0 - part);
            self.clock.set_behind(behind);
            let job = Self::job(number);
            let queue = job.queue.clone();
            self.queue.enqueue(job).await?;
            let claimed = self.claim(queue.as_str(), "web-1/4711/mails").await?;
            let took =
                (from - until).div_f64(jobs as f64).mul_f64(0.02 + (number * 7_919 % 20) as f64 / 100.0);
            self.clock.set_behind(behind.saturating_sub(took));
            for delivery in claimed {
                let transition = match number {
                    number if number % 97 == 3 => {
                        Transition::Discard { error: ERRORS[number % 3].to_owned() }
                    }
                    number if number % 211 == 7 => {
                        Transition::Cancel { reason: "the order was cancelled".to_owned() }
                    }
                    _ => completed()?,
                };
                self.queue.settle(vec![Settlement::new(delivery.lease, transition)]).await?;
            }
        }
        Ok(())
    }

    /// Adds jobs that are waiting, running, scheduled and retrying now, and workers.
    async fn present(&mut self, scale: usize) -> Result<(), BoxError> {
        self.clock.set_behind(Duration::from_secs(400));
        self.announce(WORKERS[2]).await?;
        if scale > 1 {
            self.history(200, Duration::from_secs(390), Duration::from_secs(80)).await?;
        }
        self.clock.set_behind(Duration::from_secs(75));
        let retrying = self.failing("supplier", "sync_stock", 2).await?;
        let failed = self.failing("payments", "charge_card", 5).await?;
        self.clock.set_behind(Duration::from_secs(12));
        let report = NewJob::new("build_report", Body::stored("{\"year\": 2026, \"locale\": \"en\"}"));
        let running = self.queue.enqueue(report.queue("reports").meta("tenant", "acme")).await?.id();
        let claimed = self.claim("reports", "web-2/812/reports").await?;
        let beats = claimed.into_iter().map(|delivery| {
            Heartbeat::new(delivery.lease).progress(Some(JobProgress::new(62, "page 31 of 50")))
        });
        self.queue.renew(&beats.collect::<Vec<_>>()).await?;
        self.clock.set_behind(Duration::from_secs(4));
        for number in 0..scale {
            self.queue.enqueue(Self::job(number * 6)).await?;
            self.queue
                .enqueue(Self::job(number * 6 + 1).delay(Duration::from_secs(60 * (number as u64 + 3))))
                .await?;
        }
        self.clock.set_behind(Duration::ZERO);
        self.announce(WORKERS[0]).await?;
        self.announce(WORKERS[1]).await?;
        let paused = self.queue.enqueue(Self::job(2).queue("photos")).await?.id();
        self.queue.pause(&"photos".into()).await?;
        self.jobs =
            vec![("retrying", retrying), ("discarded", failed), ("running", running), ("paused", paused)];
        Ok(())
    }

    async fn announce(&self, worker: Worker) -> Result<(), BoxError> {
        let mut announcement = Announcement::new(worker.id.into());
        announcement.service = worker.service.to_owned();
        announcement.program = "shop 2.4.1".to_owned();
        announcement.queues = worker.queues.iter().map(|queue| (*queue).into()).collect();
        let known = KINDS.iter().filter(|(_, queue, _)| worker.queues.contains(queue));
        announcement.jobs = known.map(|(name, ..)| (*name).into()).collect();
        (announcement.concurrency, announcement.running) = (worker.concurrency, worker.running);
        announcement.up_for = Duration::from_secs(11_000);
        announcement.valid_for = Duration::from_secs(worker.valid_for);
        Ok(self.queue.announce(&announcement).await?)
    }

    /// Enqueues a job that has failed some times, of five.
    async fn failing(&self, queue: &str, name: &str, attempts: u32) -> Result<JobId, BoxError> {
        let job =
            NewJob::new(name, Body::stored("{\"order\": 90127, \"amount\": 49.90, \"currency\": \"EUR\"}"));
        let id =
            self.queue.enqueue(job.queue(queue).meta("tenant", "acme").unique("order-90127")).await?.id();
        for attempt in 1..=attempts {
            for delivery in self.claim(queue, "web-2/812/reports").await? {
                let error = format!("attempt {attempt}: {}", ERRORS[attempt as usize % 3]);
                let at = if attempt == attempts {
                    Timestamp::from(SystemTime::now()).saturating_add(Duration::from_secs(95))
                } else {
                    Timestamp::EPOCH
                };
                let transition = if attempt == 5 {
                    Transition::Discard { error }
                } else {
                    Transition::Retry { at, error }
                };
                self.queue.settle(vec![Settlement::new(delivery.lease, transition)]).await?;
            }
        }
        Ok(id)
    }
}

fn completed() -> Result<Transition, BoxError> {
    let mut transition = Transition::complete();
    if let Transition::Complete { result, .. } = &mut transition {
        *result = Some(StoredResult::json("{\"message_id\": \"<7f3a@mail.example.com>\"}")?);
    }
    Ok(transition)
}
