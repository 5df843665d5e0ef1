//! The program's side of a check of stored jobs.

use std::io::{self, BufRead, Write};

use queue_core::Jobs;
use queue_core::check::{CHECK_ARGUMENT, CheckFooter, CheckLine as _, CheckRequest};

/// Answers a check of stored jobs and ends the program, if it was started with the argument `--queue-jobs`. Otherwise, it does
/// nothing.
///
/// Call it first in `main`, before the program connects to anything, with the jobs of all services. Then
/// `queue check --program ./app`, or [`JobCheck`](crate::JobCheck), finds the stored jobs that this program could not run.
///
/// ```
/// # use queue_core::{background_job, jobs};
/// # #[background_job]
/// # async fn send_welcome(user_id: u64) {}
/// fn main() {
///     queue_tokio::answer_job_check(&jobs![send_welcome]);
///     // … the program as before
/// }
/// ```
///
/// It reads stored jobs from the standard input and writes to the standard output: [`queue_core::check`] describes the lines.
/// No job runs.
pub fn answer_job_check(jobs: &Jobs) {
    if std::env::args_os().any(|argument| argument == CHECK_ARGUMENT) {
        let answered = answer(jobs, &mut io::stdin().lock(), &mut io::stdout().lock());
        std::process::exit(i32::from(answered.is_err()));
    }
}

fn answer(jobs: &Jobs, requests: &mut impl BufRead, answers: &mut impl Write) -> io::Result<()> {
    writeln!(answers, "{}", jobs.check_header().line())?;
    answers.flush()?;
    let mut checked = 0;
    for line in requests.lines() {
        let request = CheckRequest::parse(&line?).map_err(io::Error::other)?;
        checked += 1;
        if let Some(answer) = jobs.check_stored(&request) {
            writeln!(answers, "{}", answer.line())?;
        }
    }
    writeln!(answers, "{}", CheckFooter::new(checked).line())?;
    answers.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_request_ends_the_check() {
        let mut answers = Vec::new();

        let answered = answer(&Jobs::new(), &mut "no request\n".as_bytes(), &mut answers);

        assert!(answered.is_err());
        assert_eq!(String::from_utf8_lossy(&answers).lines().count(), 1, "only the header");
    }
}
