//! The schema of a store beside the one that a program knows.

use super::migrations::Migrations;
use super::schema_version::SchemaVersion;

/// The version of a stored schema, the version of this program, and the SQL that leads from one to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaStatus {
    /// The version of the stored schema.
    pub found: SchemaVersion,
    /// The version of this program.
    pub latest: usize,
    /// The statements of the missing migrations as one script, to be run by hand. It is empty if none is missing.
    pub script: String,
}

impl SchemaStatus {
    /// Creates the status of a schema with the version `found`.
    #[must_use]
    pub const fn new(found: SchemaVersion, migrations: Migrations, script: String) -> Self {
        Self { found, latest: migrations.latest(), script }
    }

    /// Returns whether the program works with the schema as it is.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.found.works_with(self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_current_if_the_program_works_with_it() {
        let of = |version, min_program_version| {
            let found = SchemaVersion { version, min_program_version };
            SchemaStatus::new(found, Migrations::new(&["one", "two"]), String::new()).is_current()
        };

        assert!(!of(0, 0), "no schema");
        assert!(!of(1, 1), "an older schema");
        assert!(of(2, 2), "this program's schema");
        assert!(of(3, 2), "a newer schema that works with this program");
        assert!(!of(3, 3), "a newer schema that does not");
    }
}
