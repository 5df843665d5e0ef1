//! A registration: how one service is created, kept and disposed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, OnceCell};

use super::Scope;
use crate::attempt::outcome::OutcomeKind;
use crate::contract::error::{BoxError, panic_message};
use crate::services::{Dependency, ServiceError, ServiceKey, Services};

/// How long a service lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lifetime {
    /// One for the process.
    Singleton,
    /// One for each attempt.
    Scoped,
    /// One for each use.
    Transient,
    /// One for each attempt. The job holds it exclusively, and it ends with the outcome.
    UnitOfWork,
}

/// A service of any type `T`: an `Arc<T>` behind `Any`.
pub(in crate::services) type Instance = Arc<dyn Any + Send + Sync>;

/// A unit of work as the scope stores it. It is taken out when it ends.
pub(in crate::services) type Unit<T> = Mutex<Option<T>>;

pub(in crate::services) type Make =
    Box<dyn for<'a> Fn(&'a Scope) -> BoxFuture<'a, Result<Instance, ServiceError>> + Send + Sync>;

pub(in crate::services) type Dispose =
    Box<dyn Fn(Instance, OutcomeKind) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

pub(in crate::services) struct Provider {
    pub(in crate::services) key: ServiceKey,
    pub(in crate::services) lifetime: Lifetime,
    pub(in crate::services) dependencies: Vec<Dependency>,
    pub(in crate::services) disposal: Option<Dispose>,
    /// The place in the program that registered the service.
    pub(in crate::services) registered_at: &'static Location<'static>,
    make: Make,
    singleton: OnceCell<Instance>,
}

impl Provider {
    #[track_caller]
    pub(in crate::services) fn new(
        key: ServiceKey,
        lifetime: Lifetime,
        dependencies: Vec<Dependency>,
        make: Make,
    ) -> Self {
        Self {
            key,
            lifetime,
            dependencies,
            disposal: None,
            registered_at: Location::caller(),
            make,
            singleton: OnceCell::new(),
        }
    }

    /// Creates the provider of an existing value.
    #[track_caller]
    pub(in crate::services) fn ready(key: ServiceKey, instance: Instance) -> Self {
        let again = instance.clone();
        let make: Make = Box::new(move |_| {
            let again = again.clone();
            Box::pin(async move { Ok(again) })
        });
        Self { singleton: OnceCell::from(instance), ..Self::new(key, Lifetime::Singleton, Vec::new(), make) }
    }

    /// Creates the service in this scope. The error names the service.
    pub(in crate::services) async fn make(&self, scope: &Scope) -> Result<Instance, ServiceError> {
        (self.make)(scope).await.map_err(|error| error.within(self.key))
    }

    /// Returns the process's only instance, and creates it first if necessary. If that fails, the next use tries again.
    pub(in crate::services) async fn singleton(&self, services: &Services) -> Result<Instance, ServiceError> {
        let made = self.singleton.get_or_try_init(|| async {
            let scope = Scope::root(services.clone());
            match self.make(&scope).await {
                Ok(instance) => {
                    // Its dependencies that were created for it alone live as long as it does.
                    services.note_made(scope.take_made());
                    services.note_made(vec![(self.key, instance.clone())]);
                    Ok(instance)
                }
                Err(error) => {
                    if let Err(errors) = scope.close(OutcomeKind::Failure).await {
                        tracing::warn!(
                            ?errors,
                            "could not dispose the dependencies of a singleton that failed"
                        );
                    }
                    Err(error)
                }
            }
        });
        made.await.cloned()
    }

    pub(in crate::services) fn made_singleton(&self) -> Option<&Instance> {
        self.singleton.get()
    }

    /// Disposes an instance. A panic is converted to an error.
    pub(in crate::services) async fn dispose(
        &self,
        instance: Instance,
        outcome: OutcomeKind,
    ) -> Result<(), ServiceError> {
        let Some(disposal) = &self.disposal else {
            return Ok(());
        };
        let disposed = AssertUnwindSafe(async { disposal(instance, outcome).await }).catch_unwind().await;
        let result = disposed.unwrap_or_else(|panic| Err(panic_message(panic.as_ref()).into()));
        result.map_err(|error| ServiceError::failed(error).within(self.key))
    }
}
