//! Registers services.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::factory::{Disposal, Factory, Fallible, Plain, shared};
use super::scope::{Dispose, Instance, Lifetime, Make, Provider};
use super::validate::{self, BuildError, Problem};
use super::{Dependency, FromScope, ServiceKey, Services, unit_of_work};

/// Registers services, and checks the whole graph of them in [`build`](Self::build).
///
/// The suffix says what is registered, for each lifetime: none, a value; `_as`, a value as another type; `_with`, an async factory
/// that may fail; `_fn`, a plain function that can't.
///
/// | | value | factory | plain function |
/// | --- | --- | --- | --- |
/// | one for the process | `singleton`, `singleton_as` | `singleton_with` | `singleton_fn` |
/// | one for each attempt | | `scoped_with` | `scoped_fn` |
/// | one for each use | | `transient_with` | `transient_fn` |
/// | one for each attempt, held by `&mut` | | `unit_of_work` | |
#[derive(Default)]
#[must_use = "services are registered by `build`"]
pub struct ServicesBuilder {
    providers: Vec<Provider>,
    disposals: Vec<(ServiceKey, Dispose, &'static Location<'static>)>,
    problems: Vec<Problem>,
    next_key: Option<&'static str>,
}

impl ServicesBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Sets a key for the next registration, to distinguish several services of one type.
    ///
    /// A job takes it with `#[inject("replica")] pool: &Pool`, a factory with [`Keyed`](super::Keyed).
    pub fn keyed(mut self, key: &'static str) -> Self {
        self.next_key = Some(key);
        self
    }

    /// Registers a value as the only `T` of the process.
    #[track_caller]
    pub fn singleton<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.singleton_as::<T>(Arc::new(value))
    }

    /// Registers a shared value under another type, usually a trait: `.singleton_as::<dyn Mailer>(Arc::new(smtp))`.
    #[track_caller]
    pub fn singleton_as<T: ?Sized + Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        let key = self.key::<T>();
        self.providers.push(Provider::ready(key, Arc::new(value)));
        self
    }

    /// Registers a factory of the only `T` of the process. It is called at the first use, and again at later uses if it failed.
    ///
    /// ```
    /// # use queue_core::Services;
    /// # struct Pool;
    /// # impl Pool { async fn connect() -> std::io::Result<Self> { Ok(Self) } }
    /// let services = Services::builder().singleton_with(async || Pool::connect().await).build()?;
    /// # Ok::<(), queue_core::BuildError>(())
    /// ```
    #[track_caller]
    pub fn singleton_with<F, P>(self, factory: F) -> Self
    where
        F: Factory<Fallible<P>>,
        F::Service: Sync,
    {
        self.factory(Lifetime::Singleton, factory)
    }

    /// Registers a plain function that creates the only `T` of the process, at its first use.
    #[track_caller]
    pub fn singleton_fn<F, P>(self, function: F) -> Self
    where
        F: Factory<Plain<P>>,
        F::Service: Sync,
    {
        self.factory(Lifetime::Singleton, function)
    }

    /// Registers a factory that creates the service at its first use in each attempt.
    #[track_caller]
    pub fn scoped_with<F, P>(self, factory: F) -> Self
    where
        F: Factory<Fallible<P>>,
        F::Service: Sync,
    {
        self.factory(Lifetime::Scoped, factory)
    }

    /// Registers a function that creates the service at its first use in each attempt.
    #[track_caller]
    pub fn scoped_fn<F, P>(self, function: F) -> Self
    where
        F: Factory<Plain<P>>,
        F::Service: Sync,
    {
        self.factory(Lifetime::Scoped, function)
    }

    /// Registers a factory that is called for each use.
    #[track_caller]
    pub fn transient_with<F, P>(self, factory: F) -> Self
    where
        F: Factory<Fallible<P>>,
        F::Service: Sync,
    {
        self.factory(Lifetime::Transient, factory)
    }

    /// Registers a plain function that is called for each use.
    #[track_caller]
    pub fn transient_fn<F, P>(self, function: F) -> Self
    where
        F: Factory<Plain<P>>,
        F::Service: Sync,
    {
        self.factory(Lifetime::Transient, function)
    }

    /// Registers a service that one job holds exclusively by `&mut`. It begins at its first use and ends with the outcome.
    ///
    /// If the end fails, the attempt fails, so a job has succeeded only if its commit has succeeded.
    ///
    /// ```
    /// # use queue_core::{OutcomeKind, Services};
    /// # use std::sync::Arc;
    /// # struct Pool; struct Tx;
    /// # impl Pool { async fn begin(&self) -> std::io::Result<Tx> { Ok(Tx) } }
    /// # impl Tx { async fn commit(self) -> std::io::Result<()> { Ok(()) } async fn rollback(self) -> std::io::Result<()> { Ok(()) } }
    /// let services = Services::builder()
    ///     .singleton(Pool)
    ///     .unit_of_work(
    ///         async |pool: Arc<Pool>| pool.begin().await,
    ///         async |tx: Tx, outcome: OutcomeKind| {
    ///             if outcome.is_success() { tx.commit().await } else { tx.rollback().await }
    ///         },
    ///     )
    ///     .build()?;
    /// # Ok::<(), queue_core::BuildError>(())
    /// ```
    #[track_caller]
    pub fn unit_of_work<F, P>(mut self, begin: F, end: impl Disposal<F::Service>) -> Self
    where
        F: Factory<Fallible<P>>,
    {
        let key = self.key::<F::Service>();
        let dependencies = begin.dependencies();
        let make: Make = {
            let begin = Arc::new(begin);
            Box::new(move |scope| {
                let begin = begin.clone();
                Box::pin(async move { Ok(unit_of_work::keep(begin.make(scope).await?)) })
            })
        };
        let mut provider = Provider::new(key, Lifetime::UnitOfWork, dependencies, make);
        provider.disposal = Some(unit_of_work::ending(end));
        self.providers.push(provider);
        self
    }

    /// Registers a second type for a registered service.
    ///
    /// ```
    /// # use queue_core::Services;
    /// # use std::sync::Arc;
    /// # struct SqlRepo;
    /// # trait Repo: Send + Sync {}
    /// # impl Repo for SqlRepo {}
    /// let services = Services::builder()
    ///     .singleton(SqlRepo)
    ///     .also_as(|repo: Arc<SqlRepo>| repo as Arc<dyn Repo>)
    ///     .build()?;
    /// # Ok::<(), queue_core::BuildError>(())
    /// ```
    #[track_caller]
    pub fn also_as<T, U>(mut self, convert: impl Fn(Arc<T>) -> Arc<U> + Send + Sync + 'static) -> Self
    where
        T: ?Sized + Send + Sync + 'static,
        U: ?Sized + Send + Sync + 'static,
    {
        let word = self.next_key.take();
        let convert = Arc::new(convert);
        let make: Make = Box::new(move |scope| {
            let convert = convert.clone();
            Box::pin(async move {
                let service = Arc::<T>::from_scope(scope, word).await?;
                let instance: Instance = Arc::new(convert(service));
                Ok(instance)
            })
        });
        let dependencies = vec![Arc::<T>::dependency(word)];
        let key = ServiceKey::of::<U>(word);
        self.providers.push(Provider::new(key, Lifetime::Transient, dependencies, make));
        self
    }

    /// Sets how a registered service is disposed: `.dispose(async |file: Arc<File>, outcome| file.flush().await)`.
    ///
    /// Services are disposed in reverse order of creation: those of a scope at the end of the attempt, with its outcome;
    /// singletons when the host stops.
    ///
    /// ```
    /// # use queue_core::{OutcomeKind, Services};
    /// # use std::sync::Arc;
    /// # struct Cache;
    /// # impl Cache { async fn flush(&self) -> std::io::Result<()> { Ok(()) } }
    /// let services = Services::builder()
    ///     .singleton(Cache)
    ///     .dispose(async |cache: Arc<Cache>, _: OutcomeKind| cache.flush().await)
    ///     .build()?;
    /// # Ok::<(), queue_core::BuildError>(())
    /// ```
    #[track_caller]
    pub fn dispose<T>(mut self, disposal: impl Disposal<Arc<T>>) -> Self
    where
        T: ?Sized + Send + Sync + 'static,
    {
        let key = self.key::<T>();
        let dispose: Dispose = Box::new(move |instance, outcome| match instance.downcast_ref::<Arc<T>>() {
            Some(service) => disposal.dispose(service.clone(), outcome),
            None => Box::pin(async { Ok(()) }),
        });
        self.disposals.push((key, dispose, Location::caller()));
        self
    }

    /// Replaces a registration of any lifetime with a value: `.replace::<dyn Mailer>(Arc::new(fake))`.
    ///
    /// For tests that use the application's own registrations and change one of them.
    ///
    /// ```
    /// # use queue_core::{Services, ServicesBuilder};
    /// # use std::sync::Arc;
    /// # trait Mailer: Send + Sync {}
    /// # struct Smtp;
    /// # impl Mailer for Smtp {}
    /// # struct Fake;
    /// # impl Mailer for Fake {}
    /// fn application() -> ServicesBuilder {
    ///     Services::builder().singleton_as::<dyn Mailer>(Arc::new(Smtp))
    /// }
    ///
    /// let services = application().replace::<dyn Mailer>(Arc::new(Fake)).build()?;
    /// # Ok::<(), queue_core::BuildError>(())
    /// ```
    #[track_caller]
    pub fn replace<T: ?Sized + Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        let key = self.key::<T>();
        let registered: Vec<_> = self.providers.iter().map(|provider| provider.key).collect();
        match self.providers.iter_mut().find(|provider| provider.key == key) {
            Some(provider) => *provider = Provider::ready(key, Arc::new(value)),
            None => self.problems.push(Problem::nothing_to_replace(key, &registered, Location::caller())),
        }
        self.disposals.retain(|(disposed, ..)| *disposed != key);
        self
    }

    /// Replaces the registration of a unit of work with another way to begin and end it.
    ///
    /// For tests that use the application's own registrations, and begin a unit of work in a fake or in a database of their own.
    #[track_caller]
    pub fn replace_unit_of_work<F, P>(mut self, begin: F, end: impl Disposal<F::Service>) -> Self
    where
        F: Factory<Fallible<P>>,
    {
        let key = ServiceKey::of::<F::Service>(self.next_key);
        let registered: Vec<_> = self.providers.iter().map(|provider| provider.key).collect();
        if !registered.contains(&key) {
            self.problems.push(Problem::nothing_to_replace(key, &registered, Location::caller()));
        }
        self.providers.retain(|provider| provider.key != key);
        self.disposals.retain(|(disposed, ..)| *disposed != key);
        self.unit_of_work(begin, end)
    }

    /// Checks the graph and returns the services.
    ///
    /// # Errors
    ///
    /// All problems together: missing services (with the nearest registered name, if one is similar), cycles (with their path),
    /// singletons that hold services of a shorter lifetime, and duplicate registrations (with both places in the source).
    pub fn build(mut self) -> Result<Services, BuildError> {
        for (key, dispose, at) in std::mem::take(&mut self.disposals) {
            let registered: Vec<_> = self.providers.iter().map(|provider| provider.key).collect();
            match self.providers.iter_mut().find(|provider| provider.key == key) {
                Some(provider) => provider.disposal = Some(dispose),
                None => self.problems.push(Problem::nothing_to_dispose(key, &registered, at)),
            }
        }
        let mut problems = self.problems;
        problems.extend(validate::graph(&self.providers));
        BuildError::unless_empty(problems)?;
        Ok(Services::from_providers(self.providers))
    }

    fn key<T: ?Sized + 'static>(&mut self) -> ServiceKey {
        ServiceKey::of::<T>(self.next_key.take())
    }

    #[track_caller]
    fn factory<F, K>(self, lifetime: Lifetime, factory: F) -> Self
    where
        F: Factory<K>,
        F::Service: Sync,
    {
        let dependencies = factory.dependencies();
        let factory = Arc::new(factory);
        let make: Make = Box::new(move |scope| {
            let factory = factory.clone();
            Box::pin(async move { Ok(shared(factory.make(scope).await?)) })
        });
        self.provide::<F::Service>(lifetime, dependencies, make)
    }

    #[track_caller]
    fn provide<T: 'static>(mut self, lifetime: Lifetime, dependencies: Vec<Dependency>, make: Make) -> Self {
        let key = self.key::<T>();
        self.providers.push(Provider::new(key, lifetime, dependencies, make));
        self
    }
}

impl fmt::Debug for ServicesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.providers.iter().map(|provider| provider.key).collect();
        f.debug_tuple("ServicesBuilder").field(&keys).finish()
    }
}
