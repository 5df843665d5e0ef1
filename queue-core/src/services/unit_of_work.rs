//! Units of work: services that one job holds exclusively, and that end with the outcome.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard};

use super::scope::{Dispose, Instance, Unit};
use super::{Dependency, Disposal, FromScope, Need, Scope, ServiceError, ServiceKey};

/// Exclusive access to the unit of work of an attempt. Dropping it ends the access, not the unit of work.
///
/// A parameter `#[inject] tx: &mut Tx` borrows from it. The scope owns the unit of work and ends it with the outcome, even if the
/// job is dropped at an await point.
pub struct Exclusive<T>(OwnedMappedMutexGuard<Option<T>, T>);

impl<T> Deref for Exclusive<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Exclusive<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> fmt::Debug for Exclusive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exclusive(..)")
    }
}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> FromScope for Exclusive<T> {
    fn dependency(key: Option<&'static str>) -> Dependency {
        Dependency::new(ServiceKey::of::<T>(key), Need::Exclusive)
    }

    fn from_scope<'a>(
        scope: &'a Scope,
        key: Option<&'static str>,
    ) -> BoxFuture<'a, Result<Self, ServiceError>> {
        Box::pin(async move {
            let name = ServiceKey::of::<T>(key);
            let unit = scope.unit_of_work::<T>(key).await?;
            let taken =
                || ServiceError::because(name, "is in use already: a unit of work has one user at a time");
            let guard = unit.try_lock_owned().map_err(|_| taken())?;
            OwnedMutexGuard::try_map(guard, Option::as_mut).map(Self).map_err(|_| taken())
        })
    }
}

pub(super) fn keep<T: Send + 'static>(unit: T) -> Instance {
    Arc::new(Arc::new(Unit::new(Some(unit))))
}

/// Takes the unit of work out and ends it.
pub(super) fn ending<T: Send + 'static>(end: impl Disposal<T>) -> Dispose {
    Box::new(move |instance, outcome| {
        let Some(unit) = instance.downcast_ref::<Arc<Unit<T>>>() else {
            return Box::pin(async { Ok(()) });
        };
        match unit.try_lock() {
            Ok(mut unit) => match unit.take() {
                Some(unit) => end.dispose(unit, outcome),
                None => Box::pin(async { Ok(()) }),
            },
            // Only a blocking job that outlived its attempt can hold it. That job drops it when its thread ends.
            Err(_) => Box::pin(async { Err("a thread that outlived the attempt still holds it".into()) }),
        }
    })
}
