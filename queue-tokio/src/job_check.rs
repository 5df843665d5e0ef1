//! Checks the stored jobs of a queue against a program, before the program is deployed.

mod answer;
mod error;
mod program;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use queue_core::Admin;
use queue_core::admin::{Filter, PageRequest};
use queue_core::check::{CheckAnswer, CheckLine as _, CheckReport, CheckRequest};

pub use answer::answer_job_check;
pub use error::CheckError;
use program::{Program, Requests};

/// The number of jobs that are read at once.
const PAGE: usize = 500;

/// Asks a program which stored jobs it could not run, because it does not know their name or cannot decode their payload.
///
/// The program is started with the argument `--queue-jobs`, and answers if its `main` begins with
/// [`answer_job_check`]. It decodes each payload as an attempt does, and runs no job.
///
/// ```no_run
/// use queue_core::Admin;
/// use queue_tokio::{CheckError, JobCheck};
///
/// /// Checks the jobs of a queue against the program that is to be deployed.
/// async fn check(queue: &dyn Admin) -> Result<bool, CheckError> {
///     let report = JobCheck::of("./target/release/app").run(queue, &mut |_| ()).await?;
///     for name in &report.names {
///         for problem in &name.problems {
///             println!("{}: {} jobs, such as {}: {}", name.name, problem.count, problem.example, problem.reason);
///         }
///     }
///     Ok(report.is_clean())
/// }
/// ```
///
/// Jobs that are pushed after the check are not checked. If services of one program know different jobs, pass the jobs of the
/// service that serves the queue to `answer_job_check`, and [filter](Self::filter) by the queue.
#[derive(Clone, Debug)]
pub struct JobCheck {
    program: PathBuf,
    args: Vec<OsString>,
    filter: Filter,
    sample: Option<u64>,
    patience: Duration,
}

impl JobCheck {
    /// Creates a check of all unfinished jobs against a program.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            filter: Filter::all().unfinished(),
            sample: None,
            patience: Duration::from_secs(10),
        }
    }

    /// Adds an argument for the program, in front of `--queue-jobs`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets which jobs are checked. The default is all unfinished ones; discarded ones may be retried, too.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Checks at most this many jobs of each name, the oldest. It still reads all jobs.
    #[must_use]
    pub fn sample(mut self, jobs_per_name: u64) -> Self {
        self.sample = Some(jobs_per_name);
        self
    }

    /// Sets the timeout of the program's first line. A program that has not answered by then is killed. The default is 10 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Checks the jobs, and calls `progress` with the number of jobs that were read, page by page.
    ///
    /// It needs a Tokio runtime with I/O and timers.
    ///
    /// # Errors
    ///
    /// If the store fails, or if the program cannot be started, does not answer, or ends early.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time. The program is killed then.
    pub async fn run(
        &self,
        store: &dyn Admin,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<CheckReport, CheckError> {
        let (requests, answers, mut program) =
            Program::start(&self.program, &self.args, self.patience).await?;
        let mut report = CheckReport::default();
        let read = answers.read_all(|answer: CheckAnswer| report.add_answer(answer));
        let sent = self.send_all(store, requests, progress);
        let (footer, (checked, sent)) = tokio::try_join!(read, sent)?;
        program.end(sent, footer).await?;
        for (name, count) in &checked {
            report.add_checked(name, *count);
        }
        Ok(report)
    }

    /// Sends the jobs to the program, and closes its input. Returns how many of each name, and how many in all.
    async fn send_all(
        &self,
        store: &dyn Admin,
        mut requests: Requests,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(BTreeMap<String, u64>, u64), CheckError> {
        let mut checked = BTreeMap::<String, u64>::new();
        let (mut read, mut sent, mut request) = (0, 0, PageRequest::first(PAGE));
        loop {
            let page = store.list(&self.filter, &request).await.map_err(CheckError::Store)?;
            read += page.jobs.len() as u64;
            for job in &page.jobs {
                let of_name = checked.entry(job.name.to_string()).or_default();
                // A closure runs in the process that pushed it.
                if self.sample.is_some_and(|sample| *of_name >= sample) || job.body.is_closure() {
                    continue;
                }
                *of_name += 1;
                sent += 1;
                requests.send(&CheckRequest::of(job).map_err(CheckError::Store)?.line()).await?;
            }
            progress(read);
            if page.next.is_none() {
                requests.close().await?;
                return Ok((checked, sent));
            }
            request.after = page.next;
        }
    }
}
