//! Versions of a schema that old and new programs share during a rolling deploy.

/// The version of a stored schema, and of the programs that work with it.
///
/// A program's version is that of the newest schema that it knows. The schema stores the lowest version of a program that
/// still works with it. So a migration that only adds to the schema leaves older programs at work.
///
/// It is collected from the recorded migrations: the version of each, and the lowest version of a program that works with the
/// schema after it. `None` stands for the migration's own version. The greatest of all rows counts.
///
/// ```
/// use queue_core::backend::SchemaVersion;
///
/// let found: SchemaVersion = [(1, None), (2, None), (3, Some(2))].into_iter().collect();
///
/// assert_eq!(found, SchemaVersion { version: 3, min_program_version: 2 });
/// assert!(found.works_with(2)); // the program of version 2 leaves the newer schema as it is
/// assert!(!found.works_with(4)); // this one migrates it
/// assert!(!found.works_with(1)); // this one is too old
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchemaVersion {
    /// The schema's version; 0 if there is no schema.
    pub version: usize,
    /// The lowest version of a program that works with the schema.
    pub min_program_version: usize,
}

impl SchemaVersion {
    /// Returns whether a program of this version works with the schema without a migration.
    #[must_use]
    pub const fn works_with(self, program: usize) -> bool {
        self.version >= program && self.min_program_version <= program
    }
}

impl FromIterator<(i64, Option<i64>)> for SchemaVersion {
    fn from_iter<I: IntoIterator<Item = (i64, Option<i64>)>>(recorded: I) -> Self {
        let number = |stored: i64| usize::try_from(stored).unwrap_or(0);
        recorded.into_iter().fold(Self::default(), |found, (version, min_program_version)| Self {
            version: found.version.max(number(version)),
            min_program_version: found
                .min_program_version
                .max(number(min_program_version.unwrap_or(version))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(rows: &[(i64, Option<i64>)]) -> SchemaVersion {
        rows.iter().copied().collect()
    }

    #[test]
    fn a_schema_without_migrations_works_with_no_program() {
        assert_eq!(recorded(&[]), SchemaVersion::default());
        assert!(!SchemaVersion::default().works_with(1));
    }

    #[test]
    fn a_migration_without_a_minimum_needs_programs_of_its_own_version() {
        assert_eq!(recorded(&[(1, None), (2, None)]), SchemaVersion { version: 2, min_program_version: 2 });
    }

    #[test]
    fn the_greatest_version_and_the_greatest_minimum_count() {
        let found = recorded(&[(3, Some(1)), (2, None), (1, None)]);

        assert_eq!(found, SchemaVersion { version: 3, min_program_version: 2 });
    }

    #[test]
    fn negative_versions_count_as_none() {
        assert_eq!(recorded(&[(-1, None)]), SchemaVersion::default());
    }
}
