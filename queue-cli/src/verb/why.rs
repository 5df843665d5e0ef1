//! `queue why`: every reason why a job is not running.

use clap::Args;
use console::style;
use queue_core::admin::Reason;
use queue_core::{Admin, JobId};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::find;
use crate::output::{Cell, Output, Record, Times};

/// Shows why a job is not running now, and what to do about it
#[derive(Args, Debug)]
pub(crate) struct Why {
    /// The job, by its id or the first digits of it
    id: String,
}

impl Why {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let job = find::job(queue, &self.id).await?;
        let reasons = queue.explain(job.id).await?;
        let lines: Vec<_> = reasons.iter().map(|reason| ReasonLine::new(job.id, reason)).collect();
        if !out.is_terminal() {
            out.records(&lines)?;
            return Ok(Exit::Done);
        }
        let state = Cell::state(job.state);
        out.text(format_args!(
            "{} {} in queue {}: {}",
            job.name,
            job.id,
            job.queue,
            state.style.apply_to(&state.text)
        ))?;
        for line in &lines {
            out.text(format_args!("  {}", Cell::text(&line.sentence)))?;
            match (&line.command, &line.cure) {
                (Some(command), _) => out.text(format_args!("    {}", style(command).bold()))?,
                (None, Some(cure)) => out.text(format_args!("    {}", Cell::text(cure)))?,
                (None, None) => {}
            }
        }
        Ok(Exit::Done)
    }
}

/// A reason in JSON, and as a line.
#[derive(Serialize)]
struct ReasonLine {
    job: JobId,
    /// The name of the reason: `paused`, `unserved` and so on.
    reason: String,
    sentence: String,
    /// The remedy.
    cure: Option<String>,
    /// The command that does it.
    command: Option<String>,
}

impl ReasonLine {
    fn new(job: JobId, reason: &Reason) -> Self {
        let command = command(reason);
        let prose = reason.cure();
        let text = reason.to_string();
        // A reason prints its sentence, and then its cure as a call of the library.
        let sentence = prose.as_ref().and_then(|cure| text.strip_suffix(&format!(": {cure}")));
        let sentence = sentence.unwrap_or(&text).to_owned();
        let name = serde_json::to_value(reason).ok();
        let name = name.and_then(|reason| Some(reason.get("reason")?.as_str()?.to_owned()));
        let cure = command.as_ref().map(|command| format!("run `{command}`")).or(prose);
        Self { job, reason: name.unwrap_or_default(), sentence, cure, command }
    }
}

impl Record for ReasonLine {
    const HEADERS: &'static [&'static str] = &["REASON", "SENTENCE", "CURE"];

    fn cells(&self, _: Times) -> Vec<Cell> {
        vec![
            Cell::text(&self.reason),
            Cell::text(&self.sentence),
            Cell::text(self.cure.as_deref().unwrap_or_default()),
        ]
    }
}

/// Returns the command that cures a reason, if there is one.
fn command(reason: &Reason) -> Option<String> {
    match reason {
        Reason::Finished { job, .. } | Reason::Scheduled { job, .. } | Reason::Retrying { job, .. } => {
            Some(format!("queue retry {job}"))
        }
        Reason::Paused { queue } => Some(format!("queue resume {queue}")),
        Reason::AtLimit { queue, .. } => Some(format!("queue limit usage {queue}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_sentence_with_the_command_that_cures_it() {
        let line = ReasonLine::new(JobId::from_u128(7), &Reason::Paused { queue: "mail".into() });

        assert_eq!(line.reason, "paused");
        assert_eq!(line.sentence, "the queue `mail` is paused");
        assert_eq!(line.command.as_deref(), Some("queue resume mail"));
    }
}
