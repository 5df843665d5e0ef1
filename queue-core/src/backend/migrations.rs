//! The migrations that a program knows, and what it does with the schema that it finds.

use std::fmt;

use super::schema_version::SchemaVersion;
use crate::contract::error::QueueError;

/// All migrations of a schema, in order. The first one has version 1.
///
/// A program's version is that of its last migration. There are no downgrades.
///
/// ```
/// use queue_core::QueueErrorKind;
/// use queue_core::backend::{Migrations, SchemaVersion};
///
/// // Programs that know version 1 work with the schema after migration 2.
/// const MIGRATIONS: Migrations =
///     Migrations::new(&["create table jobs (id int)", "alter table jobs add note text"]).additive(&[(2, 1)]);
///
/// let found = SchemaVersion { version: 1, min_program_version: 1 };
/// let missing = MIGRATIONS.missing(found, "the schema of `jobs.db`")?;
/// assert_eq!(missing[0].version, 2);
/// assert_eq!(missing[0].min_program_version, 1);
///
/// let newer = SchemaVersion { version: 4, min_program_version: 3 };
/// let error = MIGRATIONS.missing(newer, "the schema of `jobs.db`").unwrap_err();
/// assert_eq!(error.kind(), QueueErrorKind::Unsupported);
/// # Ok::<(), queue_core::QueueError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    all: &'static [&'static str],
    additive: &'static [(i32, i32)],
}

/// A migration that a schema lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The version of the schema after it.
    pub version: i32,
    /// The lowest version of a program that works with the schema after it.
    pub min_program_version: i32,
    /// The statements.
    pub sql: &'static str,
}

impl Migrations {
    /// Creates a list of migrations, each of which older programs do not work with.
    #[must_use]
    pub const fn new(all: &'static [&'static str]) -> Self {
        Self { all, additive: &[] }
    }

    /// Sets the additive migrations: the version of each, and the lowest version of a program that works with the schema
    /// after it.
    #[must_use]
    pub const fn additive(self, additive: &'static [(i32, i32)]) -> Self {
        Self { additive, ..self }
    }

    /// Returns the version of this program.
    #[must_use]
    pub const fn latest(self) -> usize {
        self.all.len()
    }

    /// Returns the migrations to apply to a schema with this version before the program works with it. None are missing if
    /// the program works with the schema as it is. `schema` names the schema in the error.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the schema is newer than this program and does not work with it.
    pub fn missing(
        self,
        found: SchemaVersion,
        schema: impl fmt::Display,
    ) -> Result<Vec<Migration>, QueueError> {
        let SchemaVersion { version, min_program_version } = found;
        let latest = self.latest();
        if version >= latest && !found.works_with(latest) {
            return Err(QueueError::unsupported(format!(
                "{schema} has version {version} and works with programs that know version {min_program_version} or \
                 later, and this program knows up to {latest}: update the program"
            )));
        }
        Ok(self.after(version))
    }

    /// Returns the migrations after a version of the schema.
    #[must_use]
    pub fn after(self, version: usize) -> Vec<Migration> {
        let migration = |(version, sql): (i32, &&'static str)| Migration {
            version,
            min_program_version: self.min_program_version(version),
            sql,
        };
        (1..).zip(self.all).skip(version).map(migration).collect()
    }

    /// Returns the lowest version of a program that works with the schema after a migration.
    fn min_program_version(self, migration: i32) -> i32 {
        let additive = self.additive.iter().find(|(version, _)| *version == migration);
        additive.map_or(migration, |(_, program)| *program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QueueErrorKind;

    /// The migrations of a program of version 4, of which the third is additive.
    const MIGRATIONS: Migrations = Migrations::new(&["one", "two", "three", "four"]).additive(&[(3, 2)]);

    fn missing(version: usize, min_program_version: usize) -> Result<Vec<i32>, QueueError> {
        let found = SchemaVersion { version, min_program_version };
        let missing = MIGRATIONS.missing(found, "the schema `mail`")?;
        Ok(missing.iter().map(|migration| migration.version).collect())
    }

    #[test]
    fn programs_before_an_additive_migration_work_with_the_schema_after_it() {
        let lowest = MIGRATIONS.after(0).into_iter().map(|migration| migration.min_program_version);

        assert_eq!(lowest.collect::<Vec<_>>(), [1, 2, 2, 4]);
    }

    #[test]
    fn an_older_schema_lacks_the_migrations_after_its_version() {
        assert_eq!(missing(0, 0).ok(), Some(vec![1, 2, 3, 4]));
        assert_eq!(missing(3, 2).ok(), Some(vec![4]));
        let last = Migration { version: 4, min_program_version: 4, sql: "four" };
        assert_eq!(MIGRATIONS.after(3), [last]);
    }

    #[test]
    fn a_schema_that_the_program_works_with_lacks_none() {
        assert_eq!(missing(4, 4).ok(), Some(Vec::new()));
        assert_eq!(missing(6, 4).ok(), Some(Vec::new()));
    }

    #[test]
    fn a_schema_that_needs_newer_programs_is_refused_with_the_versions_and_what_to_do() {
        let error = missing(6, 5).expect_err("a newer schema");

        assert_eq!(error.kind(), QueueErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "the schema `mail` has version 6 and works with programs that know version 5 or later, and this program knows \
             up to 4: update the program"
        );
    }
}
