//! What a closure is given.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Scope, ServiceError};
use crate::attempt::context::JobContext;

/// A closure's attempt: its context, and the services of a scope of its own.
///
/// Everything that [`JobContext`] offers is there: `scope.token()`, `scope.then(job)`.
#[derive(Clone)]
pub struct CallScope {
    scope: Arc<Scope>,
    context: JobContext,
}

impl CallScope {
    pub(crate) fn new(scope: Arc<Scope>, context: JobContext) -> Self {
        Self { scope, context }
    }

    /// Gives a service, and makes it first where that is due: `scope.service::<dyn Mailer>().await?`.
    ///
    /// # Errors
    ///
    /// Nothing provides it, it could not be made, or the closure has ended.
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
