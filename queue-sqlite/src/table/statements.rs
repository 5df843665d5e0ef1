//! The statements of one transaction, each looked up once.

use rusqlite::{CachedStatement, Connection, Result};

/// Prepared statements by their text.
///
/// A connection keeps them by a hash of the text; in a batch, that hash would cost as much as a small statement itself.
/// These are found by comparing, since there are a dozen at most.
pub(super) struct Statements<'a> {
    connection: &'a Connection,
    prepared: Vec<(&'static str, CachedStatement<'a>)>,
}

impl<'a> Statements<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, prepared: Vec::new() }
    }

    /// Gives a statement, prepared at its first use.
    pub(super) fn get(&mut self, sql: &'static str) -> Result<&mut CachedStatement<'a>> {
        let at = match self.prepared.iter().position(|(known, _)| *known == sql) {
            Some(at) => at,
            None => {
                self.prepared.push((sql, self.connection.prepare_cached(sql)?));
                self.prepared.len() - 1
            }
        };
        // It was found or pushed just now.
        self.prepared.get_mut(at).map(|(_, statement)| statement).ok_or(rusqlite::Error::InvalidQuery)
    }
}
