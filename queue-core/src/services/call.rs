//! The argument of a closure.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Scope, ServiceError};
use crate::attempt::context::JobContext;

/// The context of a closure's attempt, and the services of its scope.
///
/// It dereferences to [`JobContext`]: `scope.token()`, `scope.then(job)`.
#[derive(Clone)]
pub struct CallScope {
    scope: Arc<Scope>,
    context: JobContext,
}

impl CallScope {
    pub(crate) fn new(scope: Arc<Scope>, context: JobContext) -> Self {
        Self { scope, context }
    }

    /// Returns a service, and creates it first if necessary: `scope.service::<dyn Mailer>().await?`.
    ///
    /// # Errors
    ///
    /// The service is not registered, it could not be created, or the closure has ended.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub async fn service<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, ServiceError> {
        self.scope.required(None).await
    }
}

impl Deref for CallScope {
    type Target = JobContext;

    fn deref(&self) -> &JobContext {
        &self.context
    }
}

impl fmt::Debug for CallScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallScope").field(&self.context).finish()
    }
}
