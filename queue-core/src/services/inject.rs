//! Values that a scope can inject, into a job's `#[inject]` parameter or a factory's parameter.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{Dependency, Need, RecordsCompletion, Scope, ServiceError, ServiceKey};
use crate::attempt::context::JobContext;

/// A type that a scope can inject.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be injected",
    label = "not an injectable type",
    note = "in a job's `#[inject]` parameter write `&T`, `&dyn Trait`, `Arc<T>`, `Option<&T>`, `&mut T` for a unit of \
            work, `&JobContext`, `CancellationToken`, `&Tick` or `&dyn Queue`",
    note = "in a factory's parameter write `Arc<T>`, `Option<Arc<T>>`, `Keyed<K, T>`, `JobContext` or `CancellationToken`",
    note = "a service must be `Send + Sync`: a trait says so with `trait Mailer: Send + Sync`"
)]
pub trait FromScope: Sized {
    /// Returns the service, and how it is taken.
    fn dependency(key: Option<&'static str>) -> Dependency;

    /// Borrows a singleton that exists already. If it returns `None`, the caller uses [`from_scope`](Self::from_scope).
    fn made<'a>(_scope: &'a Scope, _key: Option<&'static str>) -> Option<&'a Self> {
        None
    }

    /// Takes the service, and creates it first if necessary.
    fn from_scope<'a>(
        scope: &'a Scope,
        key: Option<&'static str>,
    ) -> BoxFuture<'a, Result<Self, ServiceError>>;
}

#[diagnostic::do_not_recommend]
impl<T: ?Sized + Send + Sync + 'static> FromScope for Arc<T> {
    fn dependency(key: Option<&'static str>) -> Dependency {
        Dependency::new(ServiceKey::of::<T>(key), Need::Required)
    }

    fn made<'a>(scope: &'a Scope, key: Option<&'static str>) -> Option<&'a Self> {
        scope.made(key)
    }

    fn from_scope<'a>(
        scope: &'a Scope,
        key: Option<&'static str>,
    ) -> BoxFuture<'a, Result<Self, ServiceError>> {
        Box::pin(scope.required(key))
    }
}

#[diagnostic::do_not_recommend]
impl<T: ?Sized + Send + Sync + 'static> FromScope for Option<Arc<T>> {
    fn dependency(key: Option<&'static str>) -> Dependency {
        Dependency::new(ServiceKey::of::<T>(key), Need::Optional)
    }

    fn from_scope<'a>(
        scope: &'a Scope,
        key: Option<&'static str>,
    ) -> BoxFuture<'a, Result<Self, ServiceError>> {
        Box::pin(scope.optional(key))
    }
}

/// Injects the context of the attempt itself.
impl FromScope for JobContext {
    fn dependency(_: Option<&'static str>) -> Dependency {
        Dependency::new(ServiceKey::of::<Self>(None), Need::Required)
    }

    fn from_scope<'a>(
        scope: &'a Scope,
        _: Option<&'static str>,
    ) -> BoxFuture<'a, Result<Self, ServiceError>> {
        Box::pin(async move { Ok(Self::clone(&*scope.required::<Self>(None).await?)) })
    }
}

/// Injects the token that fires when the job must stop.
impl FromScope for CancellationToken {
    fn dependency(_: Option<&'static str>) -> Dependency {
        Dependency::new(ServiceKey::of::<Self>(None), Need::Required)
    }

    fn from_scope<'a>(
        scope: &'a Scope,
        _: Option<&'static str>,
    ) -> BoxFuture<'a, Result<Self, ServiceError>> {
        Box::pin(async move { Ok(Self::clone(&*scope.required::<Self>(None).await?)) })
    }
}

/// Injects nothing. The parameter marks a unit of work that records the job's completion.
#[diagnostic::do_not_recommend]
impl FromScope for RecordsCompletion {
    fn dependency(_: Option<&'static str>) -> Dependency {
        Dependency::new(ServiceKey::of::<Self>(None), Need::Required)
    }

    fn from_scope<'a>(_: &'a Scope, _: Option<&'static str>) -> BoxFuture<'a, Result<Self, ServiceError>> {
        Box::pin(async { Ok(Self(())) })
    }
}

/// A type that stands for a key, to distinguish several services of one type.
pub trait Key: Send + Sync + 'static {
    /// The key.
    const KEY: &'static str;
}

/// A service that is registered under a key, as a factory's parameter.
///
/// A job's parameter uses `#[inject("replica")] pool: &Pool` instead.
///
/// ```
/// # use queue_core::{Key, Keyed, Services};
/// # struct Pool;
/// # struct Reports(std::sync::Arc<Pool>);
/// struct Replica;
/// impl Key for Replica {
///     const KEY: &'static str = "replica";
/// }
///
/// let services = Services::builder()
///     .keyed("replica").singleton(Pool)
///     .scoped_fn(|pool: Keyed<Replica, Pool>| Reports(pool.service()))
///     .build()?;
/// # Ok::<(), queue_core::BuildError>(())
/// ```
pub struct Keyed<K, T: ?Sized>(Arc<T>, PhantomData<fn() -> K>);

impl<K, T: ?Sized> Keyed<K, T> {
    /// Returns the service.
    #[must_use]
    pub fn service(&self) -> Arc<T> {
        self.0.clone()
    }
}

impl<K, T: ?Sized> Deref for Keyed<K, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<K: Key, T: ?Sized> fmt::Debug for Keyed<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyed").field(&K::KEY).finish()
    }
}

#[diagnostic::do_not_recommend]
impl<K: Key, T: ?Sized + Send + Sync + 'static> FromScope for Keyed<K, T> {
    fn dependency(_: Option<&'static str>) -> Dependency {
        Arc::<T>::dependency(Some(K::KEY))
    }

    fn from_scope<'a>(
        scope: &'a Scope,
        _: Option<&'static str>,
    ) -> BoxFuture<'a, Result<Self, ServiceError>> {
        Box::pin(async move { Ok(Self(scope.required(Some(K::KEY)).await?, PhantomData)) })
    }
}
