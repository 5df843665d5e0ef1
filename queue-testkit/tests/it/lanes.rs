//! The hosted loop under simulation, with one lane, two and eight: one for each thread of the runtime.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::{Either, join, select};
use queue_core::{
    BoxError, Clock as _, JobContext, JobId, JobRecord, QueueExt as _, Runtime as _, Services, State,
    background_job, jobs,
};
use queue_testkit::fleet::{Node, Sim};
use queue_testkit::simulate;
use queue_tokio::{HostContext, HostedService as _, QueueService};

const THREADS: [usize; 3] = [1, 2, 8];

/// The least share of a lane.
const SHARE: usize = 8;

/// The number of runs: the more lanes, the longer each takes.
fn runs(threads: usize) -> u64 {
    40 / threads as u64
}

/// The number of runs of each job, and the largest number of jobs that ran at once in one program.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<LogState>>);

#[derive(Default)]
struct LogState {
    done: BTreeMap<JobId, u32>,
    most_running: usize,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.0.lock().expect("the lock is not poisoned")
    }
}

/// The jobs that run in one program.
#[derive(Clone, Default)]
struct Program {
    log: Log,
    running: Arc<Mutex<usize>>,
}

struct Running<'p>(&'p Program);

impl Program {
    fn begin(&self) -> Running<'_> {
        let mut running = self.running.lock().expect("the lock is not poisoned");
        *running += 1;
        let mut log = self.log.lock();
        log.most_running = log.most_running.max(*running);
        Running(self)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.running.lock().expect("the lock is not poisoned") -= 1;
    }
}

/// Waits, unless the time is zero, and then runs the rest of its chain.
#[background_job]
async fn step(#[inject] program: &Program, #[inject] context: &JobContext, wait: u64, then: Option<u64>) {
    let _running = program.begin();
    if wait > 0 {
        context.sleep(Duration::from_millis(wait)).await; // virtual
    }
    if let Some(wait) = then {
        context.then(step::new(wait, None));
    }
    *program.log.lock().done.entry(context.id()).or_default() += 1;
}

fn concurrency(node: &Node) -> usize {
    SHARE * node.runtime().threads()
}

fn service(node: &Node) -> QueueService {
    let service = QueueService::new(node.queue(), jobs![step]).concurrency(concurrency(node));
    service.grace(Duration::from_secs(2)).runtime(node.runtime())
}

fn context(log: &Log, shutdown_timeout: Duration) -> HostContext {
    let program = Program { log: log.clone(), ..Program::default() };
    let services = Services::builder().singleton(program).build().expect("one service");
    HostContext::new(services, Default::default(), shutdown_timeout)
}

/// Jobs that fill all lanes of three nodes, then short jobs that never wait, longer ones, and chains.
async fn enqueue(sim: &Sim, threads: usize) -> Result<(), BoxError> {
    let full = 3 * SHARE * threads;
    sim.queue().enqueue_all((0..full).map(|_| step::new(1_000, None))).await?;
    for batch in 0..2 {
        sim.sleep(Duration::from_millis(700)).await; // virtual
        let mixed = |number: u64| {
            let wait = [0, 0, 300, 0, 2_000, 40][(number % 6) as usize];
            step::new(wait, number.is_multiple_of(5).then_some(number % 3 * 100))
        };
        sim.queue().enqueue_all((0..full as u64).map(|number| mixed(number + batch))).await?;
    }
    Ok(())
}

/// Starts three nodes that serve until they crash.
fn start(sim: &Sim, log: &Log) {
    for _ in 0..3 {
        let log = log.clone();
        sim.start(move |node| serve(node, log.clone()));
    }
}

async fn serve(node: Node, log: Log) {
    service(&node).run(&context(&log, Duration::ZERO)).await.expect("a loop that runs on");
}

fn assert_shares(log: &Log, threads: usize) {
    let most = log.lock().most_running;
    assert!(most <= SHARE * threads, "{most} jobs ran at once in one program");
}

/// Q17, H1: without faults each job runs once, and all of a node's lanes together run no more jobs than they may.
#[test]
fn without_faults_each_job_runs_once_in_any_number_of_lanes() {
    for threads in THREADS {
        let most = Mutex::new(0);
        let once = async |sim: Sim| {
            let log = Log::default();
            start(&sim, &log);
            enqueue(&sim, threads).await?;
            sim.run_until_finished().await?;
            assert_shares(&log, threads);
            let state = log.lock();
            for job in sim.jobs() {
                assert_eq!((job.state, job.attempt), (State::Completed, 1), "{job:?}");
                assert_eq!(state.done.get(&job.id), Some(&1), "{job:?}");
            }
            let mut most = most.lock().expect("the lock is not poisoned");
            *most = state.most_running.max(*most);
            Ok(())
        };

        simulate(once).threads(threads).max_faults(0).runs(runs(threads)).check().unwrap();

        let most = most.into_inner().expect("the lock is not poisoned");
        assert_eq!(most, SHARE * threads, "all lanes run their shares if there is work");
    }
}

/// H1, H10: no job is lost under random faults.
#[test]
fn each_job_is_done_under_random_faults_in_any_number_of_lanes() {
    for threads in THREADS {
        let each_is_done = async |sim: Sim| {
            let log = Log::default();
            start(&sim, &log);
            enqueue(&sim, threads).await?;
            sim.run_until_finished().await?;
            assert_done(&sim, &log, threads);
            Ok(())
        };
        let runs = runs(threads);

        let simulated = simulate(each_is_done).threads(threads).runs(runs).check().unwrap();

        assert!(simulated.faults as u64 > runs, "{simulated:?}");
    }
}

/// H10, H22: the same if loops end and begin meanwhile.
#[test]
fn each_job_is_done_under_random_faults_though_loops_are_stopped() {
    for threads in THREADS {
        for end in [End::Stop(Duration::ZERO), End::Drop] {
            let each_is_done = async |sim: Sim| {
                let log = Log::default();
                for _ in 0..3 {
                    let log = log.clone();
                    sim.start(move |node| {
                        let log = log.clone();
                        async move {
                            serve_in_runs(node.clone(), log.clone(), end).await;
                            serve(node, log).await;
                        }
                    });
                }
                enqueue(&sim, threads).await?;
                sim.run_until_finished().await?;
                assert_done(&sim, &log, threads);
                Ok(())
            };

            simulate(each_is_done).threads(threads).runs(runs(threads)).check().unwrap();
        }
    }
}

fn assert_done(sim: &Sim, log: &Log, threads: usize) {
    assert_shares(log, threads);
    for job in sim.jobs() {
        let is_done = log.lock().done.contains_key(&job.id);
        let is_given_up = job.state == State::Discarded && job.attempt == job.max_attempts;
        assert!(is_given_up || (job.state == State::Completed && is_done), "{job:?}, done: {is_done}");
    }
}

/// How a run of the loop ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// By a stop that leaves running jobs this time.
    Stop(Duration),
    /// Its future is dropped.
    Drop,
}

/// Serves in short runs, one after another.
async fn serve_in_runs(node: Node, log: Log, end: End) {
    let mut random = fastrand::Rng::with_seed(node.number() as u64);
    for _ in 0..8 {
        let length = Duration::from_millis(random.u64(1..1_500));
        let timeout = if let End::Stop(timeout) = end { timeout } else { Duration::ZERO };
        let (mut service, context) = (service(&node), context(&log, timeout));
        let over = node.runtime().sleep(length); // virtual
        match end {
            End::Stop(_) => {
                let stop = async {
                    over.await;
                    context.stopping().cancel();
                };
                join(service.run(&context), stop).await.0.expect("a loop that stops");
            }
            End::Drop => match select(pin!(service.run(&context)), over).await {
                Either::Left((ended, _)) => panic!("the loop ended by itself: {ended:?}"),
                Either::Right(_) => {}
            },
        }
    }
}

/// Runs the jobs on nodes that end their loops again and again by `end`. Returns the jobs once the last loop has ended and
/// `settled` has passed.
async fn run_in_runs(
    sim: &Sim,
    threads: usize,
    end: End,
    settled: Duration,
) -> Result<(Log, Vec<JobRecord>), BoxError> {
    let (log, ended) = (Log::default(), Arc::new(Mutex::new(0)));
    for _ in 0..3 {
        let (log, ended) = (log.clone(), ended.clone());
        sim.start(move |node| {
            let (log, ended) = (log.clone(), ended.clone());
            async move {
                serve_in_runs(node, log, end).await;
                *ended.lock().expect("the lock is not poisoned") += 1;
            }
        });
    }
    enqueue(sim, threads).await?;
    while *ended.lock().expect("the lock is not poisoned") < 3 {
        sim.sleep(Duration::from_millis(10)).await; // virtual
    }
    sim.sleep(settled).await; // virtual
    Ok((log, sim.jobs()))
}

/// H14, H61: whenever a stop comes, each job that ran to its end is recorded, and each other one is released uncounted.
#[test]
fn a_stop_leaves_no_job_behind_in_any_number_of_lanes() {
    for threads in THREADS {
        for end in [End::Stop(Duration::from_secs(5)), End::Stop(Duration::ZERO)] {
            assert_recorded(threads, end, Duration::ZERO);
        }
    }
}

/// H22: the same once the tasks of a loop have ended whose owner was dropped.
#[test]
fn a_dropped_loop_leaves_no_job_behind_in_any_number_of_lanes() {
    for threads in THREADS {
        assert_recorded(threads, End::Drop, Duration::from_secs(20));
    }
}

#[track_caller]
fn assert_recorded(threads: usize, end: End, settled: Duration) {
    let recorded = async |sim: Sim| {
        let (log, jobs) = run_in_runs(&sim, threads, end, settled).await?;
        assert_shares(&log, threads);
        for job in jobs {
            let done = log.lock().done.get(&job.id).copied().unwrap_or_default();
            match job.state {
                State::Completed => assert_eq!((done, job.attempt), (1, 1), "{job:?}"),
                State::Available => assert_eq!((done, job.attempt), (0, 0), "{job:?}"),
                _ => panic!("left behind after {end:?}: {job:?}"),
            }
        }
        Ok(())
    };
    let simulated = simulate(recorded).threads(threads).max_faults(0).runs(runs(threads)).check();
    assert!(simulated.is_ok(), "{simulated:?}");
}
