//! Dependency injection: the services of jobs, how they are created, and how long they live.
//!
//! A service is registered with a lifetime: **singleton** (one for the process), **scoped** (one for each attempt),
//! **transient** (one for each use) or **unit of work** (scoped, exclusive, ended with the outcome).
//! A factory's parameters are its dependencies, so the whole graph is known, and checked, before anything runs.

mod builder;
mod call;
pub(crate) mod closure;
mod dependency;
mod disposal;
mod error;
mod factory;
mod inject;
mod key;
mod scope;
mod unit_of_work;
mod validate;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;

pub use builder::ServicesBuilder;
pub use call::CallScope;
pub use dependency::{Dependency, Need, RecordsCompletion};
pub use error::ServiceError;
pub use factory::{Disposal, Factory, Fallible, Plain};
pub use inject::{FromScope, Key, Keyed};
pub use key::ServiceKey;
pub use scope::{Lifetime, Scope};
pub use unit_of_work::Exclusive;
pub use validate::{BuildError, Problem};

pub(crate) use validate::nearest;

use scope::{Instance, Provider};

use crate::attempt::outcome::OutcomeKind;
use crate::contract::clock::Clock;

/// All registered services, checked and ready for injection. Cheap to clone.
///
/// ```
/// use queue_core::Services;
/// use std::sync::Arc;
///
/// struct Pool;
/// struct Repo(Arc<Pool>);
/// trait Mailer: Send + Sync {}
/// struct Smtp;
/// impl Mailer for Smtp {}
///
/// let services = Services::builder()
///     .singleton(Pool)                                              // one for the process
///     .singleton_as::<dyn Mailer>(Arc::new(Smtp))                   // asked for as `&dyn Mailer`
///     .scoped_with(async |pool: Arc<Pool>| Ok::<_, std::io::Error>(Repo(pool))) // one for each attempt
///     .build()?;
/// # Ok::<(), queue_core::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Services(Arc<Shared>);

struct Shared {
    providers: FxHashMap<ServiceKey, Provider>,
    /// The singletons and their dependencies, in order of creation.
    made: Mutex<Vec<(ServiceKey, Instance)>>,
}

impl Services {
    /// Returns a builder with which services are registered.
    pub fn builder() -> ServicesBuilder {
        ServicesBuilder::new()
    }

    /// Creates an empty set of services.
    #[must_use]
    pub fn none() -> Self {
        Self::from_providers(Vec::new())
    }

    /// Returns whether this is a unit of work that records the job's completion in its own queue.
    #[must_use]
    pub fn records_completion(&self, key: ServiceKey) -> bool {
        let provider = self.provider(key);
        provider.is_some_and(|provider| {
            provider.dependencies.iter().any(|taken| taken.key.is_of::<RecordsCompletion>())
        })
    }

    /// Disposes every singleton that was created, in reverse order, even if one fails or panics.
    ///
    /// # Errors
    ///
    /// The error of each singleton that failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the remaining singletons are not disposed.
    pub async fn dispose(&self) -> Result<(), Vec<ServiceError>> {
        let made = std::mem::take(&mut *self.0.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut errors = Vec::new();
        for (key, instance) in made.into_iter().rev() {
            if let Some(provider) = self.provider(key) {
                errors.extend(provider.dispose(instance, OutcomeKind::Success).await.err());
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Disposes every singleton that was created, as [`dispose`](Self::dispose) does, and abandons those that are not disposed
    /// after `limit`.
    ///
    /// For the first half of `limit`, the order is reverse. Then the remaining singletons are disposed concurrently, so that one
    /// that hangs does not prevent the others from being disposed.
    ///
    /// # Errors
    ///
    /// The error of each singleton that failed or was not disposed in time.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the remaining singletons are not disposed.
    pub async fn dispose_within(&self, limit: Duration, clock: &dyn Clock) -> Result<(), Vec<ServiceError>> {
        let made = std::mem::take(&mut *self.0.made.lock().unwrap_or_else(PoisonError::into_inner));
        let disposals = made.into_iter().rev().filter_map(|(key, instance)| {
            let provider = self.provider(key)?;
            Some((key, provider.dispose(instance, OutcomeKind::Success)))
        });
        disposal::dispose_all(disposals, limit, clock).await
    }

    fn from_providers(providers: Vec<Provider>) -> Self {
        let made = providers
            .iter()
            .filter_map(|provider| Some((provider.key, provider.made_singleton()?.clone())))
            .collect();
        let providers = providers.into_iter().map(|provider| (provider.key, provider)).collect();
        Self(Arc::new(Shared { providers, made: Mutex::new(made) }))
    }

    fn provider(&self, key: ServiceKey) -> Option<&Provider> {
        self.0.providers.get(&key)
    }

    fn note_made(&self, made: Vec<(ServiceKey, Instance)>) {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner).extend(made);
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.0.providers.keys().map(ToString::to_string).collect();
        names.sort();
        f.debug_tuple("Services").field(&names).finish()
    }
}
