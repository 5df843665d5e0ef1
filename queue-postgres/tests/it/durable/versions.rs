//! Schemas of each released version, with a job in each.

use queue_conformance::durable::OpenCase;
use queue_core::JobId;

use super::in_a_schema::{InASchema, opening};
use crate::schema::{VERSIONS, make_version};

/// Creates a schema of each released version, and opens it.
pub(super) async fn upgrades(store: &InASchema) -> Vec<OpenCase<JobId>> {
    let mut connection = store.connection().await;
    let mut upgrades = Vec::new();
    for (number, version) in (1..).zip(VERSIONS) {
        let store = InASchema::at(None);
        make_version(&mut connection, &store.schema, version).await.expect("a schema of an earlier version");
        let what = format!("a schema of version {number}");
        upgrades.push(opening(what, store.builder(), vec![JobId::from_u128(7)]));
    }
    upgrades
}
