//! Paths used by generated code. This is not public API and may change at any time.

use std::convert::Infallible;
use std::future::Future;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
use queue_core::BoxError;
pub use queue_core::jobs;
use tokio::runtime::Builder;

#[cfg(feature = "postgres")]
use crate::database::TestPostgres;
#[cfg(feature = "sqlite")]
use crate::database::TestSqlite;
use crate::kit::{TestKit, TestKitBuilder};

/// Runs a test on this thread, under tokio's paused time.
///
/// # Panics
///
/// If no runtime can be created.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    run_in(Builder::new_current_thread().start_paused(true), test)
}

/// Runs a test on this thread, with a database and in real time.
///
/// # Panics
///
/// If no runtime or no database can be created.
#[cfg(feature = "postgres")]
pub fn run_with_postgres<S, E, T>(setup: S, test: impl AsyncFnOnce(TestPostgres) -> T) -> T
where
    S: AsyncFn(&TestPostgres) -> Result<(), E>,
    E: Into<BoxError>,
{
    run_in(&mut Builder::new_current_thread(), async {
        match TestPostgres::create(setup).await {
            Ok(database) => test(database).await,
            Err(error) => panic!("{error:?}"),
        }
    })
}

/// Runs a test on this thread, with a database and in real time.
///
/// # Panics
///
/// If no runtime or no database can be created.
#[cfg(feature = "sqlite")]
pub fn run_with_sqlite<S, E, T>(setup: S, test: impl AsyncFnOnce(TestSqlite) -> T) -> T
where
    S: AsyncFn(&TestSqlite) -> Result<(), E>,
    E: Into<BoxError>,
{
    run_in(&mut Builder::new_current_thread(), async {
        match TestSqlite::create(setup).await {
            Ok(database) => test(database).await,
            Err(error) => panic!("{error:?}"),
        }
    })
}

/// Does nothing: the setup of a database without one.
///
/// # Errors
///
/// Returns none.
pub async fn no_setup<D>(_: &D) -> Result<(), Infallible> {
    Ok(())
}

fn run_in<T>(builder: &mut Builder, test: impl Future<Output = T>) -> T {
    match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(test),
        Err(error) => panic!("the test could not create a runtime: {error}"),
    }
}

/// Builds a test's kit.
///
/// # Panics
///
/// If the kit can't be built. The message lists every problem.
#[track_caller]
pub fn built(builder: TestKitBuilder) -> TestKit {
    match builder.build() {
        Ok(kit) => kit,
        Err(error) => panic!("the kit of this test can't be built: {error}"),
    }
}

/// Runs a test with a PostgreSQL database.
#[cfg(feature = "postgres")]
#[doc(hidden)]
#[macro_export]
macro_rules! __run_with_postgres {
    ($setup:expr, $test:expr) => {
        $crate::private::run_with_postgres($setup, $test)
    };
}

/// Fails to compile: the feature is off.
#[cfg(not(feature = "postgres"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __run_with_postgres {
    ($setup:expr, $test:expr) => {
        ::core::compile_error!(
            "`#[queue_testkit::test(postgres)]` needs the feature `postgres` of `queue-testkit`: add `features = [\"postgres\"]` to it in `Cargo.toml`"
        )
    };
}

/// Runs a test with an SQLite database.
#[cfg(feature = "sqlite")]
#[doc(hidden)]
#[macro_export]
macro_rules! __run_with_sqlite {
    ($setup:expr, $test:expr) => {
        $crate::private::run_with_sqlite($setup, $test)
    };
}

/// Fails to compile: the feature is off.
#[cfg(not(feature = "sqlite"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __run_with_sqlite {
    ($setup:expr, $test:expr) => {
        ::core::compile_error!(
            "`#[queue_testkit::test(sqlite)]` needs the feature `sqlite` of `queue-testkit`: add `features = [\"sqlite\"]` to it in `Cargo.toml`"
        )
    };
}
