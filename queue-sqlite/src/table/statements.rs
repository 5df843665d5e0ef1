//! The prepared statements of one transaction.

use rusqlite::{CachedStatement, Connection, Result};

/// Prepared statements by their text.
///
/// The cache of a connection hashes the text at each lookup. In a batch, that would cost as much as running a small statement.
/// A transaction uses a dozen statements at most, so this finds them by comparison.
pub(super) struct Statements<'a> {
    connection: &'a Connection,
    prepared: Vec<(&'static str, CachedStatement<'a>)>,
}

impl<'a> Statements<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, prepared: Vec::new() }
    }

    /// Returns a statement. Prepares it at its first use.
    pub(super) fn get(&mut self, sql: &'static str) -> Result<&mut CachedStatement<'a>> {
        let at = match self.prepared.iter().position(|(known, _)| *known == sql) {
            Some(at) => at,
            None => {
                self.prepared.push((sql, self.connection.prepare_cached(sql)?));
                self.prepared.len() - 1
            }
        };
        // The index is valid: the statement was found or pushed above.
        self.prepared.get_mut(at).map(|(_, statement)| statement).ok_or(rusqlite::Error::InvalidQuery)
    }
}
