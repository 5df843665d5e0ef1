//! The end of a page, as a text for links and command lines.
//!
//! The text of a backend that uses [`PageQuery`](crate::backend::PageQuery) has five parts, none of which needs escaping in a
//! URL: `sqlite.finished-newest.cbf29ce484222325.1763900000000000.42`. They are the backend, the sort and order, the
//! fingerprint of the filter, and the time and push number of the last job of the page.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::sort::{Order, Sort};

/// The end of a page: a text that only the backend that returned it understands.
///
/// Pass it on unchanged, for example in a link or a command line, with the filter, the sort and the order of its page. It needs no
/// escaping in a URL. A queue refuses the cursor of another backend, filter, sort or order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// Creates a cursor from the text of another one, or from a text of the backend's choice.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The place of a job in a list: the time by which the list is sorted, then the number in push order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The time.
    pub at: Timestamp,
    /// The number of the job in push order.
    pub number: u64,
}

/// The identity of a list, as its cursors contain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListName {
    pub(crate) backend: &'static str,
    pub(crate) sort: Sort,
    pub(crate) order: Order,
    /// The fingerprint of the filter.
    pub(crate) filter: u64,
}

impl ListName {
    /// Creates the cursor of a page of this list that ends with the job at `last`.
    pub(crate) fn cursor(self, last: Place) -> Cursor {
        let Self { backend, sort, order, filter } = self;
        Cursor(format!("{backend}.{sort}-{order}.{filter:x}.{}.{}", last.at.as_micros(), last.number))
    }

    /// Returns the place at which the page of a cursor ended.
    ///
    /// # Errors
    ///
    /// `Invalid` if the cursor is not of this list.
    pub(crate) fn place(self, cursor: &Cursor) -> Result<Place, QueueError> {
        let parts = CursorParts::of(&cursor.0).ok_or_else(|| {
            let shown: String = cursor.0.chars().take(100).collect();
            QueueError::invalid(format!(
                "{shown:?} is not a cursor: pass on the `next` of the last page unchanged"
            ))
        })?;
        let (order, filter) = (format!("{}-{}", self.sort, self.order), format!("{:x}", self.filter));
        let foreign = if parts.backend != self.backend {
            format!(
                "of a list of the backend `{}`, and this queue has the backend `{}`",
                parts.backend, self.backend
            )
        } else if parts.order != order {
            format!("of a list in the order `{}`, and this one is in the order `{order}`", parts.order)
        } else if parts.filter != filter {
            "of a list with another filter".to_owned()
        } else {
            return Ok(parts.place);
        };
        let cure = "repeat the request of the last page with its `next`, or start with the first page";
        Err(QueueError::invalid(format!("the cursor is {foreign}: {cure}")))
    }
}

/// The parts of a cursor's text.
struct CursorParts<'a> {
    backend: &'a str,
    order: &'a str,
    filter: &'a str,
    place: Place,
}

impl<'a> CursorParts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.split('.');
        let (backend, order, filter) = (parts.next()?, parts.next()?, parts.next()?);
        let (at, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let place = Place { at: Timestamp::from_micros(at), number };
        parts.next().is_none().then_some(Self { backend, order, filter, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: ListName =
        ListName { backend: "memory", sort: Sort::Finished, order: Order::Newest, filter: 0xabc };
    const PLACE: Place = Place { at: Timestamp::from_micros(-7), number: u64::MAX };

    #[test]
    fn a_cursor_returns_the_place_that_it_was_created_for() {
        let cursor = LIST.cursor(PLACE);

        assert_eq!(cursor.as_str(), format!("memory.finished-newest.abc.-7.{}", u64::MAX));
        assert_eq!(LIST.place(&cursor).unwrap(), PLACE);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused_with_the_difference() {
        let others = [
            (
                ListName { backend: "sqlite", ..LIST },
                "backend `memory`, and this queue has the backend `sqlite`",
            ),
            (
                ListName { sort: Sort::Pushed, ..LIST },
                "`finished-newest`, and this one is in the order `pushed-newest`",
            ),
            (ListName { order: Order::Oldest, ..LIST }, "in the order `finished-oldest`"),
            (ListName { filter: 0xabcd, ..LIST }, "another filter"),
        ];

        for (other, difference) in others {
            let error = other.place(&LIST.cursor(PLACE)).unwrap_err().to_string();
            assert!(error.contains(difference) && error.contains("start with the first page"), "{error}");
        }
    }

    #[test]
    fn a_text_that_is_no_cursor_is_refused() {
        for text in
            ["", "page two", "memory.finished-newest.abc.1", "memory.finished-newest.abc.1.2.3", "a.b.c.d.e"]
        {
            let error = LIST.place(&Cursor::new(text)).unwrap_err().to_string();
            assert!(error.contains("is not a cursor"), "{text:?}: {error}");
        }
    }
}
