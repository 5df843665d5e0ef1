//! A job as a test that replays it.

use queue_core::{JobId, QueueError};

use crate::error::BoardError;
use crate::site::Site;

/// Returns the name and the text of a Rust test that replays a job, with its private fields as they are shown.
pub(crate) async fn of(site: &Site, id: JobId) -> Result<(String, String), BoardError> {
    let job = site.queue.get(id).await?.ok_or_else(|| QueueError::unknown_job(id))?;
    let hidden = || {
        let text = "The payload of this job is hidden or is a closure, so it can't be exported: see `Board::payloads`.";
        BoardError::Conflict(text.to_owned())
    };
    let shown = site.privacy.record(&job).ok_or_else(hidden)?;
    let json = shown.export()?;
    let hashes = hashes(&json);
    let name: String =
        job.name.as_str().chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    let text = format!(
        "//! Replays job {id}, `{}`: its last attempt, with its payload and its meta.\n\n\
         use queue_core::jobs;\n\
         use queue_testkit::{{TestKit, block_on}};\n\n\
         #[test]\n\
         fn {name}_succeeds() {{\n    \
             block_on(async {{\n        \
                 let kit = TestKit::new(jobs![/* your jobs */]).build().unwrap(); // and its services\n\n        \
                 let attempt = kit.replay(JOB).await.unwrap();\n\n        \
                 assert!(attempt.outcome.is_success(), \"{{attempt}}\");\n    \
             }});\n\
         }}\n\n\
         const JOB: &str = r{hashes}\"{json}\"{hashes};\n",
        job.name
    );
    Ok((format!("{name}_{id}.rs"), text))
}

/// Returns as many `#` as a raw string with this text needs.
fn hashes(text: &str) -> String {
    let mut longest = 0;
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('"') {
        longest = longest.max(after.len() - after.trim_start_matches('#').len() + 1);
        rest = after;
    }
    "#".repeat(longest.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_raw_string() {
        for (text, expected) in [("{}", "#"), ("{\"a\"}", "#"), ("\"#", "##"), ("x\"###\"", "####")] {
            assert_eq!(hashes(text), expected);
        }
    }
}
