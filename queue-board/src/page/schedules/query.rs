//! Which schedules a page shows, as its address has it.

use queue_schedules::ScheduleCursor;

use crate::error::BoardError;
use crate::fields::{FormFields, field};

/// The group, and the place in its list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SchedulesQuery {
    group: Option<String>,
    after: Option<ScheduleCursor>,
}

impl SchedulesQuery {
    /// Reads the pairs of an address. Empty ones and those of other keys are left out.
    ///
    /// # Errors
    ///
    /// A sentence on a cursor that cannot be read.
    pub(crate) fn new(pairs: &FormFields) -> Result<Self, BoardError> {
        let value = |name| Some(field(pairs, name).trim()).filter(|value| !value.is_empty());
        let after = value("after").map(str::parse).transpose()?;
        Ok(Self { group: value("group").map(str::to_owned), after })
    }

    pub(crate) fn of(group: &str, after: Option<&ScheduleCursor>) -> Self {
        Self { group: Some(group.to_owned()), after: after.cloned() }
    }

    pub(crate) fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    pub(crate) const fn after(&self) -> Option<&ScheduleCursor> {
        self.after.as_ref()
    }

    /// Returns the address.
    pub(crate) fn path(&self) -> String {
        let mut pairs = Vec::new();
        pairs.extend(self.group.as_ref().map(|group| ("group", group.clone())));
        pairs.extend(self.after.as_ref().map(|after| ("after", after.to_string())));
        // Pairs of texts can always be encoded.
        match serde_urlencoded::to_string(pairs) {
            Ok(query) if !query.is_empty() => format!("/schedules?{query}"),
            _ => "/schedules".to_owned(),
        }
    }
}
