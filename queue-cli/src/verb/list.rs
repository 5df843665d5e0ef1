//! `queue list`: the jobs that match a filter.

use clap::{Args, ValueEnum};
use queue_core::Admin;
use queue_core::admin::{Cursor, Filter, Order, PageRequest, Sort};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::filter::FilterOptions;
use crate::find::KnownNames;
use crate::job_line::{JobLine, Privacy};
use crate::output::Output;

/// The number of jobs that are read in one step.
const PAGE: usize = 500;

/// Lists jobs, the newest first
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    filter: FilterOptions,
    /// The time by which the list is sorted: by default the finish, if only finished jobs match, otherwise the push
    #[arg(long, value_enum)]
    sort: Option<SortOption>,
    /// Lists the oldest job first
    #[arg(long)]
    oldest: bool,
    /// The maximum number of jobs
    #[arg(long, short, default_value_t = 50)]
    limit: usize,
    /// The `next` of an earlier list with the same filter and order
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Prints the ids only
    #[arg(long, conflicts_with = "payload")]
    ids: bool,
    /// Prints payloads and results too, as JSON
    #[arg(long, requires = "json")]
    payload: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SortOption {
    /// All jobs, by their pushes
    Pushed,
    /// Finished jobs, by their finish
    Finished,
    /// Unfinished jobs, by the time at which they are ready
    RunAt,
}

/// The last line of a list in JSON that has a next page.
#[derive(Serialize)]
struct NextPage<'a> {
    next: &'a Cursor,
}

impl List {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let filter = self.filter.filter(&[]);
        let mut request = self.request(&filter);
        let mut left = self.limit;
        let mut is_empty = true;
        while left > 0 {
            request.limit = left.min(PAGE);
            let page = queue.list(&filter, &request).await?;
            is_empty &= page.jobs.is_empty();
            left = left.saturating_sub(page.jobs.len());
            self.print(&page.jobs, out)?;
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        match &request.after {
            _ if is_empty => {
                KnownNames::read(queue).await?.explain_empty(&filter)?;
                out.note("no job matches")?;
            }
            Some(next) if left == 0 && out.is_json() => out.object(&NextPage { next })?,
            Some(next) if left == 0 => out.note(format_args!("there may be more: add --after {next}"))?,
            _ => {}
        }
        Ok(Exit::Done)
    }

    fn request(&self, filter: &Filter) -> PageRequest {
        let sort = match self.sort {
            Some(SortOption::Finished) => Sort::Finished,
            Some(SortOption::RunAt) => Sort::RunAt,
            None if filter.is_of_finished() => Sort::Finished,
            Some(SortOption::Pushed) | None => Sort::Pushed,
        };
        let order = if self.oldest { Order::Oldest } else { Order::Newest };
        let mut request = PageRequest::first(PAGE).sort(sort).order(order);
        request.after = self.after.as_deref().map(Cursor::new);
        request
    }

    fn print(&self, jobs: &[queue_core::JobRecord], out: &mut Output) -> Result<(), Failure> {
        if self.ids {
            #[derive(Serialize)]
            struct IdLine {
                id: queue_core::JobId,
            }
            return Ok(jobs.iter().try_for_each(|job| out.sentence(&IdLine { id: job.id }, job.id))?);
        }
        let privacy = if self.payload { Privacy::Shown } else { Privacy::Hidden };
        let lines: Vec<_> = jobs.iter().map(|job| JobLine::new(job, privacy)).collect();
        Ok(out.records(&lines)?)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Call {
        #[command(flatten)]
        list: List,
        /// An option of the whole command, which `--payload` needs.
        #[arg(long)]
        json: bool,
    }

    fn sort(options: &[&str]) -> Sort {
        let Call { list, json } = Call::parse_from(["list"].iter().chain(options));
        assert!(!json);
        list.request(&list.filter.filter(&[])).sort
    }

    #[test]
    fn finished_jobs_are_sorted_by_their_finish_unless_the_caller_chooses() {
        assert_eq!(sort(&["--state", "discarded"]), Sort::Finished);
        assert_eq!(sort(&["--state", "discarded", "--sort", "pushed"]), Sort::Pushed);
        assert_eq!(sort(&[]), Sort::Pushed);
    }
}
