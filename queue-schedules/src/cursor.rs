//! The end of a page of schedules, as a text for links and command lines.

use std::fmt;
use std::str::FromStr;

use queue_core::QueueError;
use queue_core::admin::Cursor;
use serde::{Serialize, Serializer};

/// The end of a page of schedules: a text that needs no escaping in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleCursor {
    pub(crate) is_declared: bool,
    pub(crate) after: Option<Cursor>,
}

impl ScheduleCursor {
    const DECLARED: &str = "declared";
    const PUT: &str = "put";
}

impl fmt::Display for ScheduleCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = if self.is_declared { Self::DECLARED } else { Self::PUT };
        match &self.after {
            Some(after) => write!(f, "{list}.{after}"),
            None => f.write_str(list),
        }
    }
}

impl FromStr for ScheduleCursor {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, QueueError> {
        let (list, after) = match text.split_once('.') {
            Some((list, after)) => (list, Some(Cursor::new(after))),
            None => (text, None),
        };
        match list {
            Self::DECLARED => Ok(Self { is_declared: true, after }),
            Self::PUT => Ok(Self { is_declared: false, after }),
            _ => Err(QueueError::invalid(format!("`{text}` is not the end of a page of schedules"))),
        }
    }
}

impl Serialize for ScheduleCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
