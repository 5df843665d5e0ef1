//! Private databases: one for each test, copied from a template.

mod error;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use error::DatabaseError;
#[cfg(feature = "postgres")]
pub use postgres::TestPostgres;
#[cfg(feature = "sqlite")]
pub use sqlite::TestSqlite;
