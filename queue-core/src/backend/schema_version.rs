//! Versions of a schema that old and new programs share during a rolling deploy.

/// The version of a stored schema, and of the programs that work with it.
///
/// A program's version is that of the newest schema that it knows. The schema stores the lowest version of a program that
/// still works with it. So a migration that only adds to the schema leaves older programs at work.
///
/// ```
/// use queue_core::backend::SchemaVersion;
///
/// let found = SchemaVersion { version: 4, min_program_version: 3 };
///
/// assert!(found.works_with(3)); // the program of version 3 leaves the newer schema as it is
/// assert!(!found.works_with(5)); // this one migrates it
/// assert!(!found.works_with(2)); // this one is too old
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

    /// Returns the lowest version of a program that works with the schema after a migration.
    ///
    /// `additive` has the migrations after which older programs still work, each with the lowest version of those programs.
    /// After any other migration, the program must have the migration's version.
    #[must_use]
    pub fn min_program_version(migration: i32, additive: &[(i32, i32)]) -> i32 {
        additive.iter().find(|(version, _)| *version == migration).map_or(migration, |(_, program)| *program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_before_an_additive_migration_work_with_the_schema_after_it() {
        let additive = [(3, 2)];

        let lowest = [1, 2, 3, 4].map(|migration| SchemaVersion::min_program_version(migration, &additive));

        assert_eq!(lowest, [1, 2, 2, 4]);
    }

    #[test]
    fn no_schema_works_with_no_program() {
        assert!(!SchemaVersion::default().works_with(1));
    }
}
