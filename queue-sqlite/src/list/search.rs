//! The limit of a search.
//!
//! The fields of a filter that have no index skip jobs. A search with a limit ends at the first place at which one of its scans has
//! read that many jobs, and all scans end there. That place is found cheaply: the entries of an index are skipped.

use queue_core::admin::{Filter, Sort};
use queue_core::backend::{PageQuery, Place, SearchEnd, to_u64};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params_from_iter};

use super::scans;
use crate::rows;
use crate::sql::list::{IndexScan, ListOrder, Select};

/// A search that reads about `limit` jobs of each range at most.
pub(super) struct Search<'a> {
    pub(super) connection: &'a Connection,
    pub(super) filter: &'a Filter,
    pub(super) query: PageQuery,
    pub(super) list: ListOrder,
    pub(super) limit: u64,
}

impl Search<'_> {
    /// Returns the scans of the list, and where they end. `None` if that is the end of the list.
    pub(super) fn bounded(&self) -> Result<(Vec<IndexScan>, Option<SearchEnd>)> {
        let mut ranges = scans(self.connection, self.filter, self.query.sort)?;
        if self.exceeds(&ranges)? {
            ranges = self.sorted()?;
        }
        let skips = if ranges.iter().any(|range| matches!(range, IndexScan::All)) {
            *self.filter != Filter::all()
        } else {
            *self.filter != self.filter.range()
        };
        let end = if skips { self.end(&ranges)? } else { None };
        Ok((ranges, end))
    }

    /// Returns whether a range without the order of the list has more jobs than the limit. There are few executing jobs.
    fn exceeds(&self, ranges: &[IndexScan]) -> Result<bool> {
        let is_unsorted =
            |range: &&IndexScan| !range.is_sorted_by(self.query.sort) && !matches!(range, IndexScan::Leased);
        for range in ranges.iter().filter(is_unsorted) {
            if self.nth(*range, self.limit)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns scans that have the order of the list, so that a search can continue where it has ended.
    fn sorted(&self) -> Result<Vec<IndexScan>> {
        if self.query.sort == Sort::Pushed {
            return Ok(vec![IndexScan::All]);
        }
        scans(self.connection, &self.filter.range(), self.query.sort)
    }

    /// Returns the first place at which a scan has read `limit` jobs.
    fn end(&self, ranges: &[IndexScan]) -> Result<Option<SearchEnd>> {
        let mut ends = Vec::new();
        for range in ranges.iter().filter(|range| range.is_sorted_by(self.query.sort)) {
            ends.extend(self.nth(*range, self.limit - 1)?);
        }
        Ok(ends.into_iter().min_by_key(|end| self.query.rank(end.place)))
    }

    fn nth(&self, range: IndexScan, position: u64) -> Result<Option<SearchEnd>> {
        let select = Select::nth(range, self.filter, self.list, position);
        let end = |row: &Row<'_>| {
            let place = Place { at: rows::timestamp(row, 0)?, number: to_u64(row.get(1)?) };
            let at = if self.query.sort == Sort::Pushed { rows::timestamp(row, 2)? } else { place.at };
            Ok(SearchEnd { place, at })
        };
        let mut statement = self.connection.prepare_cached(&select.text)?;
        statement.query_row(params_from_iter(&select.values), end).optional()
    }
}
