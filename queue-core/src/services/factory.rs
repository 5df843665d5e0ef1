//! Functions that create services. Their parameters are their dependencies.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Dependency, FromScope, Scope, ServiceError};
use crate::attempt::outcome::OutcomeKind;
use crate::contract::error::BoxError;

/// A function that creates a service. Its parameters, up to eight services, are its dependencies.
///
/// There are two kinds, and `Kind` says which: [`Fallible`] is an async function that returns a `Result`, such as
/// `async |pool: Arc<Pool>| pool.begin().await`. [`Plain`] is a function that returns the service, such as
/// `|pool: Arc<Pool>| Repo::new(pool)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a factory",
    label = "not a factory",
    note = "`singleton_with`, `scoped_with`, `transient_with` and `unit_of_work` take an async closure whose parameters are \
            services and whose result is a `Result`: `async |pool: Arc<Pool>| Ok::<_, Error>(Repo::new(pool))`",
    note = "`singleton_fn`, `scoped_fn` and `transient_fn` take a plain closure that can't fail: \
            `|pool: Arc<Pool>| Repo::new(pool)`",
    note = "its parameters are `Arc<T>`, `Option<Arc<T>>`, `Keyed<K, T>`, `JobContext` or `CancellationToken`"
)]
pub trait Factory<Kind>: Send + Sync + 'static {
    /// The service.
    type Service: Send + 'static;

    /// Returns the services that the parameters take.
    fn dependencies(&self) -> Vec<Dependency>;

    /// Resolves the parameters and creates the service.
    fn make<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Self::Service, ServiceError>>;
}

/// The kind of [`Factory`] that is async and returns a `Result`. `Parameters` is the tuple of its parameters.
#[derive(Debug)]
pub struct Fallible<Parameters>(PhantomData<Parameters>);

/// The kind of [`Factory`] that is a plain function and can't fail. `Parameters` is the tuple of its parameters.
#[derive(Debug)]
pub struct Plain<Parameters>(PhantomData<Parameters>);

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
        impl<Function, Fut, Service, Error, $($parameter,)*> Factory<Fallible<($($parameter,)*)>> for Function
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

        impl<Function, Service, $($parameter,)*> Factory<Plain<($($parameter,)*)>> for Function
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

/// Wraps a factory's service as an [`Instance`](super::scope::Instance).
pub(super) fn shared<T: Send + Sync + 'static>(service: T) -> super::scope::Instance {
    Arc::new(Arc::new(service))
}
