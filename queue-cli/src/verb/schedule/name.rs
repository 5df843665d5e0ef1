//! The name of a schedule on the command line.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use queue_core::{Admin, QueueError};
use queue_schedules::{ScheduleRecord, Schedules};

use crate::exit::Failure;
use crate::nearest::did_you_mean;

/// How many schedules of a group are compared with a name that is unknown.
const COMPARED: usize = 1_000;

/// The name of a schedule, with its group: `shop/nightly`.
#[derive(Clone, Debug)]
pub(super) struct ScheduleName {
    pub(super) group: String,
    pub(super) name: String,
}

impl FromStr for ScheduleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((group, name)) if !group.is_empty() && !name.is_empty() => {
                Ok(Self { group: group.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("`{text}` is not of the form GROUP/NAME, such as `shop/nightly`")),
        }
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.name)
    }
}

impl ScheduleName {
    /// Returns the group, to change its schedules.
    pub(super) fn group(&self, queue: &Arc<dyn Admin>) -> Schedules {
        Schedules::new(&*self.group, queue.clone())
    }

    /// Returns the schedule.
    ///
    /// # Errors
    ///
    /// `NotFound` with the nearest name if there is no such schedule.
    pub(super) async fn read(&self, queue: &Arc<dyn Admin>) -> Result<ScheduleRecord, Failure> {
        match self.group(queue).get(&self.name).await? {
            Some(schedule) => Ok(schedule),
            None => {
                let failure = Failure::not_found(format!("there is no schedule `{self}`"));
                Err(failure.help(self.nearest(queue).await?))
            }
        }
    }

    /// Returns the question for the name that was probably meant.
    async fn nearest(&self, queue: &Arc<dyn Admin>) -> Result<Option<String>, QueueError> {
        let groups = Schedules::groups(&queue.summary().await?);
        if !groups.contains(&self.group) {
            let names: Vec<_> = groups.iter().map(|group| format!("{group}/{}", self.name)).collect();
            return Ok(did_you_mean(&self.to_string(), names.iter().map(String::as_str)));
        }
        let page = self.group(queue).page(None, COMPARED).await?;
        let nearest = did_you_mean(&self.name, page.schedules.iter().map(|schedule| schedule.name.as_str()));
        Ok(nearest.map(|question| question.replacen('`', &format!("`{}/", self.group), 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_group_in_front() {
        let name: ScheduleName = "shop/customer/42".parse().unwrap();
        assert_eq!((&*name.group, &*name.name), ("shop", "customer/42"));

        for text in ["nightly", "/nightly", "shop/"] {
            assert!(text.parse::<ScheduleName>().unwrap_err().contains("GROUP/NAME"), "{text}");
        }
    }
}
