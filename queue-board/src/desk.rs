//! The state of a board's router.

use std::sync::Arc;

use crate::bulk::Changes;
use crate::live::Live;
use crate::site::Site;

/// The settings, the changes to many jobs, and the open pages. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) site: Arc<Site>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) live: Arc<Live>,
}

impl Desk {
    pub(crate) fn new(site: Site) -> Self {
        let (site, changes) = (Arc::new(site), Arc::new(Changes::default()));
        let live = Arc::new(Live::new(site.clone(), changes.clone()));
        Self { site, changes, live }
    }
}
