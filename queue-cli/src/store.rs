//! The address of a store, and how it is opened.

use std::path::PathBuf;
use std::str::FromStr;

use queue_core::backend::SchemaStatus;
use queue_core::{Admin, QueueError, QueueErrorKind};
use queue_postgres::{PostgresQueue, PostgresQueueBuilder};
use queue_sqlite::{SqliteQueue, SqliteQueueBuilder};

use crate::exit::Failure;

/// The forms of an address, for messages.
pub(crate) const FORMS: &str = "`sqlite:PATH` or `postgres://USER@HOST/DATABASE`";

/// The address of a store, as the command line names it.
#[derive(Clone)]
pub(crate) enum Address {
    Sqlite(PathBuf),
    /// A URL, which may have a password: no message shows it.
    Postgres(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match scheme {
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" | ":memory:" => Err(format!("`{text}` names no file: write {FORMS}")),
                path => Ok(Self::Sqlite(path.into())),
            },
            "postgres" | "postgresql" if rest.starts_with("//") => Ok(Self::Postgres(text.to_owned())),
            // The rest may have a password.
            _ => Err(format!("`{scheme}` is not the scheme of a store: write {FORMS}")),
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "sqlite:…",
            Self::Postgres(_) => "postgres:…",
        })
    }
}

impl Address {
    /// Returns the store of this address.
    pub(crate) fn store(&self, schema: &str) -> Store {
        match self {
            Self::Sqlite(path) => Store::Sqlite(
                // The programs of the store decide how long finished jobs are kept.
                SqliteQueue::builder(path).keep_completed(None).keep_cancelled(None).keep_discarded(None),
            ),
            Self::Postgres(url) => Store::Postgres(
                PostgresQueue::builder(url.clone())
                    .schema(schema)
                    .keep_completed(None)
                    .keep_cancelled(None)
                    .keep_discarded(None),
            ),
        }
    }
}

/// A store that is not open yet.
#[derive(Clone)]
pub(crate) enum Store {
    Sqlite(SqliteQueueBuilder),
    Postgres(PostgresQueueBuilder),
}

impl Store {
    /// Opens the store, which must exist: a misspelt address creates no file, table or function.
    pub(crate) async fn open(&self) -> Result<Box<dyn Admin>, Failure> {
        let opened: Result<Box<dyn Admin>, QueueError> = match self.clone() {
            Self::Sqlite(builder) => {
                builder.run_migrations(false).open().await.map(|queue| Box::new(queue) as _)
            }
            Self::Postgres(builder) => {
                builder.run_migrations(false).connect().await.map(|queue| Box::new(queue) as _)
            }
        };
        opened.map_err(|error| {
            let is_absent = error.kind() == QueueErrorKind::Unsupported;
            let help = is_absent
                .then(|| "`queue migrate --status` shows the schema, `queue migrate` updates it".to_owned());
            Failure::from(error).help(help)
        })
    }

    /// Reads the version of the schema.
    pub(crate) async fn schema_status(&self) -> Result<SchemaStatus, QueueError> {
        match self.clone() {
            Self::Sqlite(builder) => builder.schema_status().await,
            Self::Postgres(builder) => builder.schema_status().await,
        }
    }

    /// Creates the store if it does not exist, and migrates its schema.
    pub(crate) async fn migrate(&self) -> Result<(), QueueError> {
        match self.clone() {
            Self::Sqlite(builder) => builder.open().await.map(drop),
            Self::Postgres(builder) => builder.migrate().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_file_or_a_server() {
        let path = |text: &str| match text.parse::<Address>() {
            Ok(Address::Sqlite(path)) => path.display().to_string(),
            other => panic!("{other:?}"),
        };

        assert_eq!(path("sqlite:jobs.db"), "jobs.db");
        assert_eq!(path("sqlite:///srv/jobs.db"), "/srv/jobs.db");
        assert!(matches!("postgres://me@host/shop".parse(), Ok(Address::Postgres(_))));
        assert!(matches!("postgresql://host".parse(), Ok(Address::Postgres(_))));
    }

    #[test]
    fn another_scheme_is_refused_with_the_ones_to_use_and_without_the_password() {
        for text in ["redis://me:s3cret@host", "jobs.db", "sqlite:", "sqlite::memory:", "postgres:shop"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains("sqlite:PATH") && error.contains("postgres://"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
