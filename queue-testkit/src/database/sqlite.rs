//! A private SQLite file for each test.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use queue_core::BoxError;
use queue_sqlite::rusqlite::{self, Connection};
use queue_sqlite::{SqliteQueue, Synchronous};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::DatabaseError;
use crate::clock::VirtualClock;

/// An SQLite file that one test uses alone. Deleted with this value, even if the test panics.
///
/// `#[queue_testkit::test(sqlite)]` passes one to a test. It is a copy of a template, which has the queue and everything that the
/// test's `setup` creates. The template is created once in each test process for each `setup`.
///
/// ```
/// use queue_testkit::TestSqlite;
/// use queue_sqlite::rusqlite; // or your own
///
/// async fn migrate(db: &TestSqlite) -> rusqlite::Result<()> {
///     db.connect()?.execute_batch("create table orders (id integer primary key)")
/// }
///
/// #[queue_testkit::test(sqlite, setup = migrate)]
/// async fn there_are_no_orders(db: TestSqlite) -> rusqlite::Result<()> {
///     let orders: i64 = db.connect()?.query_row("select count(*) from orders", [], |row| row.get(0))?;
///     assert_eq!(orders, 0);
///     Ok(())
/// }
/// ```
pub struct TestSqlite {
    // Fields are dropped in this order: the queue closes the file before the folder is deleted.
    queue: SqliteQueue,
    path: PathBuf,
    template: Template,
    _folder: TempDir,
}

/// The bytes of a file.
type Template = Arc<[u8]>;

/// The templates of this process, by the names of their setups. The lock is held while a template is created.
static TEMPLATES: LazyLock<Mutex<HashMap<&str, Template>>> = LazyLock::new(Mutex::default);

const FAILED: &str = "the test's database can't be created";

impl TestSqlite {
    /// Creates a file for a test that does not use the attribute. The first call with a `setup` creates the template.
    ///
    /// The template is recognized by the name of `setup`, so pass a function, not a closure.
    ///
    /// # Errors
    ///
    /// If the file can't be written, or if `setup` fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing.
    pub async fn create<S, E>(setup: S) -> Result<Self, DatabaseError>
    where
        S: AsyncFn(&Self) -> Result<(), E>,
        E: Into<BoxError>,
    {
        let name = std::any::type_name::<S>();
        let mut templates = TEMPLATES.lock().await;
        let template = match templates.get(name) {
            Some(template) => template.clone(),
            None => {
                let database = Self::copy_of(Arc::default()).await?;
                setup(&database)
                    .await
                    .map_err(DatabaseError::of("the setup of the test's database failed"))?;
                let template = database.image().map_err(DatabaseError::of(FAILED))?;
                templates.insert(name, template.clone());
                template
            }
        };
        drop(templates);
        Self::copy_of(template).await
    }

    /// Creates another private file from the same template.
    ///
    /// # Errors
    ///
    /// If the file can't be written.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing.
    pub async fn another(&self) -> Result<Self, DatabaseError> {
        Self::copy_of(self.template.clone()).await
    }

    /// Returns the queue, whose tables are in the file.
    #[must_use]
    pub fn queue(&self) -> &SqliteQueue {
        &self.queue
    }

    /// Opens a connection, for the application's own tables.
    ///
    /// # Errors
    ///
    /// If the file can't be opened.
    pub fn connect(&self) -> rusqlite::Result<Connection> {
        Connection::open(&self.path)
    }

    /// Returns the path of the file, for a driver of the application's own.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn copy_of(template: Template) -> Result<Self, DatabaseError> {
        let folder = tempfile::tempdir().map_err(DatabaseError::of(FAILED))?;
        let path = folder.path().join("test.db");
        std::fs::write(&path, &template).map_err(DatabaseError::of(FAILED))?;
        let builder = SqliteQueue::builder(&path).clock(VirtualClock::new());
        // A test that lets days pass still sees its finished jobs.
        let builder = builder.keep_completed(None).keep_cancelled(None).keep_discarded(None);
        // No test crashes the machine.
        let queue = builder.synchronous(Synchronous::Normal).open().await;
        let queue = queue.map_err(DatabaseError::of(FAILED))?;
        Ok(Self { queue, path, template, _folder: folder })
    }

    /// Reads the committed content into the bytes of a file.
    fn image(&self) -> Result<Template, BoxError> {
        let folder = tempfile::tempdir()?;
        let copy = folder.path().join("template.db");
        self.connect()?.execute("vacuum into ?1", [copy.to_str()])?;
        Ok(std::fs::read(copy)?.into())
    }
}

impl fmt::Debug for TestSqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSqlite").field("path", &self.path).finish_non_exhaustive()
    }
}
