//! The services of one attempt.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::provider::{Instance, Lifetime, Provider};
use super::unit_of_work::Unit;
use super::{ServiceError, ServiceKey, Services};
use crate::attempt::context::JobContext;
use crate::attempt::outcome::{Outcome, OutcomeKind};
use crate::contract::queue::Queue;

/// The services of one attempt: made when first asked for, disposed in reverse order when the attempt ends.
///
/// **Invariant:** nothing is made in a scope that was closed, so no service outlives its attempt unnoticed.
pub struct Scope {
    origin: Origin,
    /// A handful at most, so a list is searched faster than a map is made.
    scoped: Mutex<Vec<(ServiceKey, Cell)>>,
    /// What is to be disposed, in the order in which it was made.
    made: Mutex<Vec<(ServiceKey, Instance)>>,
    closed: AtomicBool,
}

/// Where a service is made once.
type Cell = Arc<OnceCell<Instance>>;

const CLOSED: &str = "the attempt has ended, and its scope with it";

/// What a scope is of.
enum Origin {
    Attempt(JobContext, Services),
    /// The process, in which singletons are made.
    Root(Services),
}

impl Scope {
    /// Opens the scope of an attempt.
    #[must_use]
    pub fn open(context: JobContext, services: Services) -> Self {
        Self::of(Origin::Attempt(context, services))
    }

    /// The scope in which singletons are made.
    pub(super) fn root(services: Services) -> Self {
        Self::of(Origin::Root(services))
    }

    fn of(origin: Origin) -> Self {
        Self { origin, scoped: Mutex::default(), made: Mutex::default(), closed: AtomicBool::new(false) }
    }

    /// Disposes what was made, in reverse order and told the outcome, every one even if one fails or panics.
    ///
    /// After a failure the rest is told of a failure, since the attempt is one by then.
    ///
    /// # Errors
    ///
    /// What each of those that failed said, the first one first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the rest undisposed.
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

    /// Closes the scope if there is nothing to dispose, and tells whether that was so.
    pub(crate) fn close_if_empty(&self) -> bool {
        self.shut()
    }

    /// Takes what was made in a scope that is given up, to be disposed later.
    pub(super) fn take_made(&self) -> Vec<(ServiceKey, Instance)> {
        std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets nothing more be made, and tells whether there is nothing to dispose.
    fn shut(&self) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::SeqCst);
        made.is_empty()
    }

    /// Runs a blocking job on a thread where that does no harm.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops waiting; the thread goes on.
    pub fn run_blocking<'a>(
        &'a self,
        call: impl FnOnce() -> Outcome + Send + 'static,
    ) -> BoxFuture<'a, Outcome> {
        let Origin::Attempt(context, _) = &self.origin else {
            return Box::pin(async { Outcome::Interrupted });
        };
        crate::attempt::blocking::run_blocking(context.environment(), call)
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

    /// Finds a singleton that was made before, without raising its count, which all threads share.
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
            // The attempt ended while this was made, so nobody else disposes it.
            provider.dispose(instance, OutcomeKind::Failure).await?;
            return Err(ServiceError::because(provider.key, CLOSED));
        }
        Ok(instance)
    }

    /// Notes what is to be disposed; `false` if the scope was closed before.
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

    /// What every attempt has without registering it; a registration goes before.
    fn built_in(&self, key: ServiceKey) -> Option<Instance> {
        let Origin::Attempt(context, _) = &self.origin else { return None };
        if key.is_of::<JobContext>() {
            Some(Arc::new(Arc::new(context.clone())))
        } else if key.is_of::<CancellationToken>() {
            Some(Arc::new(Arc::new(context.token().clone())))
        } else if key.is_of::<dyn Queue>() {
            Some(Arc::new(context.home().queue.clone()))
        } else {
            None
        }
    }
}

/// Tells whether every attempt has this without anyone registering it.
pub(super) fn is_built_in(key: ServiceKey) -> bool {
    key.is_of::<JobContext>() || key.is_of::<CancellationToken>() || key.is_of::<dyn Queue>()
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("services", self.services()).finish_non_exhaustive()
    }
}
