//! The board: its settings and its router.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use axum::middleware;
use axum::routing::{get, post};
use queue_core::{Admin, Jobs, Observer};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::desk::Desk;
use crate::privacy::{Privacy, Private};
use crate::site::{AdmissionRule, Site};
use crate::{answer, assets, guard, operation};

/// A board of one queue, in memory or in any store.
///
/// Cheap to create. Nothing runs until its router answers a request.
pub struct Board(Site);

impl Board {
    /// Creates a board that shows `queue` to programs on this machine, refuses changes, and hides payloads.
    pub fn new(queue: Arc<dyn Admin>) -> Self {
        Self(Site::new(queue))
    }

    /// Sets the rule that decides the access of each request. The function reads the request's headers and extensions, in which a
    /// layer of the application can store the user.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use queue_board::{Access, Board};
    /// # use queue_tokio::MemoryQueue;
    ///
    /// #[derive(Clone)]
    /// struct User { name: String, is_operator: bool }
    ///
    /// # let queue = Arc::new(MemoryQueue::new());
    /// let board = Board::new(queue).access(|request| match request.extensions.get::<User>() {
    ///     Some(user) if user.is_operator => Access::act(&*user.name),
    ///     Some(_) => Access::Look,
    ///     None => Access::Forbidden,
    /// });
    /// ```
    #[must_use]
    pub fn access(mut self, rule: impl Fn(&Parts) -> Access + Send + Sync + 'static) -> Self {
        self.0.rule = AdmissionRule::Own(Box::new(rule));
        self
    }

    /// Shows payloads, results, unique keys and values of meta as `redactor` returns them, and hides those for which it returns
    /// `None`. Error texts pass through it too; without this setting they are shown as they are.
    ///
    /// [`show_all`](crate::show_all) shows everything, and [`hide_keys`](crate::hide_keys) hides the values of some keys.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use queue_board::{Board, hide_keys};
    /// # use queue_tokio::MemoryQueue;
    ///
    /// # let queue = Arc::new(MemoryQueue::new());
    /// let board = Board::new(queue).payloads(hide_keys(["password", "card_number"]));
    /// ```
    #[must_use]
    pub fn payloads(
        mut self,
        redactor: impl Fn(&Private<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.0.privacy = Privacy::through(redactor);
        self
    }

    /// Sets the jobs whose names and fields the form for new jobs offers.
    #[must_use]
    pub fn jobs(mut self, jobs: Jobs) -> Self {
        self.0.jobs = jobs;
        self
    }

    /// Sets the observer of the operators' changes: see [`Event::Operated`](queue_core::Event::Operated).
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.0.observer = Arc::new(observer);
        self
    }

    /// Ends the updates of open pages when `token` fires.
    ///
    /// A server that shuts down waits for its open requests, and an open page has one. Without a token, that takes up to 15 s.
    #[must_use]
    pub fn until(mut self, token: CancellationToken) -> Self {
        self.0.stopping = token;
        self
    }

    /// Returns the router with all pages. Nest it under a path by [`Router::nest_service`], or serve it alone.
    ///
    /// Under a path such as `/queue`, the first page is at `/queue` and at `/queue/`. With [`Router::nest`], `/queue/` would be an
    /// unknown page.
    pub fn router(self) -> Router {
        let desk = Desk::new(self.0);
        Router::new()
            .route("/", get(answer::now))
            .route("/jobs", get(answer::jobs))
            .route("/jobs/{id}", get(answer::job))
            .route("/jobs/{id}/test", get(answer::test))
            .route("/workers", get(answer::workers))
            .route("/names", get(answer::names))
            .route("/limits", get(answer::limits))
            .route("/schedules", get(answer::schedules))
            .route("/enqueue", get(answer::enqueue).post(operation::enqueue))
            .route("/changes/{id}", get(answer::change))
            .route("/jobs/{id}/{action}", post(operation::one))
            .route("/selection/{action}", post(operation::selection))
            .route("/queues/{queue}/{action}", post(operation::queue))
            .route("/schedules/{action}", post(operation::schedule))
            .route("/changes", post(operation::prepare))
            .route("/changes/{id}/start", post(operation::start))
            .route("/changes/{id}/stop", post(operation::stop))
            .merge(assets::router())
            .fallback(answer::missing)
            .layer(middleware::from_fn_with_state(desk.site.clone(), guard::guard))
            .with_state(desk)
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("queue", &self.0.queue.description()).finish_non_exhaustive()
    }
}
