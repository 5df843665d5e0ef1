//! The services of one attempt.

mod provider;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{RecordsCompletion, ServiceError, ServiceKey, Services};
use crate::attempt::context::JobContext;
use crate::attempt::outcome::{Outcome, OutcomeKind};
use crate::attempt::tick::Tick;
use crate::contract::queue::Queue;
use crate::contract::result::StoredResult;

pub use provider::Lifetime;
pub(super) use provider::{Dispose, Instance, Make, Provider, Unit};

/// The services of one attempt: created at their first use, disposed in reverse order when the attempt ends.
///
/// **Invariant:** no service is created in a closed scope, so no service outlives its attempt unnoticed.
pub struct Scope {
    origin: Origin,
    /// A few entries at most: searching a list costs less than creating a map.
    scoped: Mutex<Vec<(ServiceKey, Cell)>>,
    /// The services to dispose, in order of creation.
    made: Mutex<Vec<(ServiceKey, Instance)>>,
    closed: AtomicBool,
}

/// Holds a service that is created once.
type Cell = Arc<OnceCell<Instance>>;

const CLOSED: &str = "the attempt has ended, and its scope with it";

/// The owner of a scope.
enum Origin {
    Attempt(JobContext, Services),
    /// The process, which owns the singletons.
    Root(Services),
}

impl Scope {
    /// Creates the scope of an attempt.
    #[must_use]
    pub fn open(context: JobContext, services: Services) -> Self {
        Self::of(Origin::Attempt(context, services))
    }

    /// Creates the scope in which singletons are created.
    pub(super) fn root(services: Services) -> Self {
        Self::of(Origin::Root(services))
    }

    fn of(origin: Origin) -> Self {
        Self { origin, scoped: Mutex::default(), made: Mutex::default(), closed: AtomicBool::new(false) }
    }

    /// Disposes all created services with the outcome, in reverse order, even if one fails or panics.
    ///
    /// After a failed disposal, the remaining services get the outcome `Failure`, since the attempt has failed by then.
    ///
    /// # Errors
    ///
    /// The error of each disposal that failed, in order.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the remaining services are not disposed.
    pub async fn close(&self, outcome: OutcomeKind) -> Result<(), Vec<ServiceError>> {
        self.shut();
        let mut outcome = outcome;
        let mut errors = Vec::new();
        loop {
            let last = self.made.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((key, instance)) = last else { break };
            let Some(provider) = self.services().provider(key) else {
                continue;
            };
            if let Err(error) = provider.dispose(instance, outcome).await {
                errors.push(error);
                if outcome.is_success() {
                    outcome = OutcomeKind::Failure;
                }
            }
        }
        self.scoped.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Closes the scope. Returns whether it has nothing to dispose.
    pub(crate) fn close_if_empty(&self) -> bool {
        self.shut()
    }

    /// Takes the created services out of a scope that is no longer used. The caller disposes them later.
    pub(super) fn take_made(&self) -> Vec<(ServiceKey, Instance)> {
        std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Prevents the creation of more services. Returns whether there is nothing to dispose.
    fn shut(&self) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::SeqCst);
        made.is_empty()
    }

    /// Converts the value that a job returned to its outcome, and keeps the job's result for its completion.
    #[must_use]
    pub fn returned(&self, parts: (Outcome, Option<StoredResult>)) -> Outcome {
        match &self.origin {
            Origin::Attempt(context, _) => context.returned(parts),
            Origin::Root(_) => parts.0,
        }
    }

    /// Runs a blocking job on a blocking thread, and converts the value that it returned to its outcome.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the wait stops. The thread continues.
    pub fn run_blocking<'a>(
        &'a self,
        call: impl FnOnce() -> (Outcome, Option<StoredResult>) + Send + 'static,
    ) -> BoxFuture<'a, Outcome> {
        let Origin::Attempt(context, _) = &self.origin else {
            return Box::pin(async { Outcome::Interrupted });
        };
        crate::attempt::blocking::run_blocking(context, call)
    }

    fn services(&self) -> &Services {
        match &self.origin {
            Origin::Attempt(_, services) | Origin::Root(services) => services,
        }
    }

    pub(super) async fn required<T>(&self, key: Option<&'static str>) -> Result<Arc<T>, ServiceError>
    where
        T: ?Sized + Send + Sync + 'static,
    {
        let missing = || ServiceError::because(ServiceKey::of::<T>(key), "nothing provides it");
        self.optional(key).await?.ok_or_else(missing)
    }

    pub(super) async fn optional<T>(&self, key: Option<&'static str>) -> Result<Option<Arc<T>>, ServiceError>
    where
        T: ?Sized + Send + Sync + 'static,
    {
        if let Some(made) = self.made::<T>(key) {
            return Ok(Some(made.clone()));
        }
        let instance = self.resolve(ServiceKey::of::<T>(key)).await?;
        Ok(instance.and_then(|instance| instance.downcast_ref::<Arc<T>>().cloned()))
    }

    pub(super) async fn unit_of_work<T: Send + 'static>(
        &self,
        key: Option<&'static str>,
    ) -> Result<Arc<Unit<T>>, ServiceError> {
        let name = ServiceKey::of::<T>(key);
        let instance = self.resolve(name).await?;
        let unit = instance.and_then(|instance| instance.downcast_ref::<Arc<Unit<T>>>().cloned());
        unit.ok_or_else(|| ServiceError::because(name, "no unit of work of that type is registered"))
    }

    /// Returns a singleton that exists already, without incrementing its reference count, which all threads share.
    pub(super) fn made<T>(&self, key: Option<&'static str>) -> Option<&Arc<T>>
    where
        T: ?Sized + Send + Sync + 'static,
    {
        if self.closed.load(Ordering::SeqCst) {
            return None;
        }
        self.services().provider(ServiceKey::of::<T>(key))?.made_singleton()?.downcast_ref()
    }

    async fn resolve(&self, key: ServiceKey) -> Result<Option<Instance>, ServiceError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(ServiceError::because(key, CLOSED));
        }
        let Some(provider) = self.services().provider(key) else {
            return Ok(self.built_in(key));
        };
        let instance = match provider.lifetime {
            Lifetime::Singleton => provider.singleton(self.services()).await?,
            Lifetime::Transient => self.make(provider).await?,
            Lifetime::Scoped | Lifetime::UnitOfWork => {
                let cell = self.cell(key);
                cell.get_or_try_init(|| self.make(provider)).await?.clone()
            }
        };
        Ok(Some(instance))
    }

    async fn make(&self, provider: &Provider) -> Result<Instance, ServiceError> {
        let instance = provider.make(self).await?;
        if provider.disposal.is_some() && !self.note(provider.key, &instance) {
            // The attempt ended while this was created, so no other code disposes it.
            provider.dispose(instance, OutcomeKind::Failure).await?;
            return Err(ServiceError::because(provider.key, CLOSED));
        }
        Ok(instance)
    }

    /// Adds a service to dispose. Returns `false` if the scope is closed.
    fn note(&self, key: ServiceKey, instance: &Instance) -> bool {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = !self.closed.load(Ordering::SeqCst);
        if is_open {
            made.push((key, instance.clone()));
        }
        is_open
    }

    fn cell(&self, key: ServiceKey) -> Cell {
        let mut scoped = self.scoped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = scoped.iter().find(|(of, _)| *of == key) {
            return cell.clone();
        }
        let cell = Cell::default();
        scoped.push((key, cell.clone()));
        cell
    }

    /// Returns a service that every attempt has without a registration. A registration takes precedence.
    fn built_in(&self, key: ServiceKey) -> Option<Instance> {
        let Origin::Attempt(context, _) = &self.origin else { return None };
        if key.is_of::<JobContext>() {
            Some(Arc::new(Arc::new(context.clone())))
        } else if key.is_of::<CancellationToken>() {
            Some(Arc::new(Arc::new(context.token().clone())))
        } else if key.is_of::<dyn Queue>() {
            Some(Arc::new(context.runner().queue.clone()))
        } else if key.is_of::<Tick>() {
            Some(Arc::new(Arc::new(Tick::of(context))))
        } else {
            None
        }
    }
}

/// Returns whether every attempt has this service without a registration.
pub(super) fn is_built_in(key: ServiceKey) -> bool {
    key.is_of::<JobContext>()
        || key.is_of::<CancellationToken>()
        || key.is_of::<dyn Queue>()
        || key.is_of::<Tick>()
        || key.is_of::<RecordsCompletion>()
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("services", self.services()).finish_non_exhaustive()
    }
}
