//! Functions that create services. Their parameters are their dependencies.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Dependency, FromScope, Scope, ServiceError};
use crate::attempt::outcome::OutcomeKind;
use crate::contract::error::BoxError;

/// An async, fallible function that creates a service: `async |pool: Arc<Pool>| pool.begin().await`.
///
/// It takes up to eight services and returns a `Result`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a factory",
    label = "not a factory",
    note = "a factory is an async closure whose parameters are services and whose result is a `Result`: \
            `async |pool: Arc<Pool>| Ok::<_, Error>(Repo::new(pool))`",
    note = "its parameters are `Arc<T>`, `Option<Arc<T>>`, `Keyed<K, T>`, `JobContext` or `CancellationToken`",
    note = "for a plain function that can't fail, use `scoped_fn`, `transient_fn` or `singleton_fn`"
)]
pub trait Factory<Parameters>: Send + Sync + 'static {
    /// The service.
    type Service: Send + 'static;

    /// Returns the services that the parameters take.
    fn dependencies(&self) -> Vec<Dependency>;

    /// Resolves the parameters and creates the service.
    fn make<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Self::Service, ServiceError>>;
}

/// An infallible plain function that creates a service: `|pool: Arc<Pool>| Repo::new(pool)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a constructor",
    label = "not a constructor",
    note = "a constructor is a closure whose parameters are services: `|pool: Arc<Pool>| Repo::new(pool)`",
    note = "its parameters are `Arc<T>`, `Option<Arc<T>>`, `Keyed<K, T>`, `JobContext` or `CancellationToken`"
)]
pub trait Construct<Parameters>: Send + Sync + 'static {
    /// The service.
    type Service: Send + 'static;

    /// Returns the services that the parameters take.
    fn dependencies(&self) -> Vec<Dependency>;

    /// Resolves the parameters and creates the service.
    fn make<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Self::Service, ServiceError>>;
}

/// An async function that disposes a service: `async |pool: Arc<Pool>, outcome: OutcomeKind| pool.close().await`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't dispose a service",
    label = "not a disposal",
    note = "it is an async closure of the service and the outcome, with a `Result` of nothing: \
            `async |file: Arc<File>, outcome: OutcomeKind| file.flush().await`"
)]
pub trait Disposal<Service>: Send + Sync + 'static {
    /// Disposes the service. `outcome` is that of the attempt.
    fn dispose(&self, service: Service, outcome: OutcomeKind) -> BoxFuture<'static, Result<(), BoxError>>;
}

impl<S, F, Fut, E> Disposal<S> for F
where
    F: Fn(S, OutcomeKind) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn dispose(&self, service: S, outcome: OutcomeKind) -> BoxFuture<'static, Result<(), BoxError>> {
        let disposed = self(service, outcome);
        Box::pin(async move { disposed.await.map_err(Into::into) })
    }
}

macro_rules! factories {
    ($(($($parameter:ident),*))*) => {$(
        impl<Function, Fut, Service, Error, $($parameter,)*> Factory<($($parameter,)*)> for Function
        where
            Function: Fn($($parameter),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<Service, Error>> + Send,
            Service: Send + 'static,
            Error: Into<BoxError>,
            $($parameter: FromScope + Send,)*
        {
            type Service = Service;

            fn dependencies(&self) -> Vec<Dependency> {
                vec![$($parameter::dependency(None)),*]
            }

            #[allow(non_snake_case, unused_variables, reason = "parameters are named like their types, and there may be none")]
            fn make<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Service, ServiceError>> {
                Box::pin(async move {
                    $(let $parameter = $parameter::from_scope(scope, None).await?;)*
                    self($($parameter),*).await.map_err(ServiceError::failed)
                })
            }
        }

        impl<Function, Service, $($parameter,)*> Construct<($($parameter,)*)> for Function
        where
            Function: Fn($($parameter),*) -> Service + Send + Sync + 'static,
            Service: Send + 'static,
            $($parameter: FromScope + Send,)*
        {
            type Service = Service;

            fn dependencies(&self) -> Vec<Dependency> {
                vec![$($parameter::dependency(None)),*]
            }

            #[allow(non_snake_case, unused_variables, reason = "parameters are named like their types, and there may be none")]
            fn make<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Service, ServiceError>> {
                Box::pin(async move {
                    $(let $parameter = $parameter::from_scope(scope, None).await?;)*
                    Ok(self($($parameter),*))
                })
            }
        }
    )*};
}

factories! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, G)
    (A, B, C, D, G, H)
    (A, B, C, D, G, H, I)
    (A, B, C, D, G, H, I, J)
}

/// Wraps a factory's service as an [`Instance`](super::provider::Instance).
pub(super) fn shared<T: Send + Sync + 'static>(service: T) -> super::provider::Instance {
    Arc::new(Arc::new(service))
}
