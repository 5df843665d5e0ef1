//! The counts that a transaction leaves to the next one of the same connection.

use rusqlite::Result;

use super::counts::Partitions;
use crate::sql::partitions::DATA_VERSION;
use crate::table::Table;

/// The greatest number of partitions that are kept, each some 200 bytes.
const MOST: usize = 50_000;

/// The counts at the end of a transaction. They are those of the file until another connection commits, which changes the version.
pub(in crate::table) struct KeptPartitions {
    data_version: i64,
    partitions: Partitions,
}

impl Table<'_> {
    /// Uses the counts that the last transaction of this connection has left, unless another connection has committed since. The
    /// transaction has begun and has used no counts yet.
    pub(crate) fn reuse_partitions(&mut self) -> Result<()> {
        if let Some(kept) = self.kept_partitions.take()
            && kept.data_version == self.data_version()?
        {
            self.partitions = kept.partitions;
        }
        Ok(())
    }

    /// Keeps the counts for the next transaction of this connection. If the transaction is rolled back, the caller must forget them
    /// by [`WriterCache::forget_partitions`](super::super::WriterCache::forget_partitions).
    pub(in crate::table) fn keep_partitions(&mut self) -> Result<()> {
        if (1..=MOST).contains(&self.partitions.len()) {
            let (data_version, partitions) = (self.data_version()?, std::mem::take(&mut self.partitions));
            self.cache.kept_partitions = Some(KeptPartitions { data_version, partitions });
        }
        Ok(())
    }

    fn data_version(&mut self) -> Result<i64> {
        self.statements.get(DATA_VERSION)?.query_row([], |row| row.get(0))
    }
}
