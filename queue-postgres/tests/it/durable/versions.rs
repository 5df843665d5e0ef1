//! Schemas of each earlier version, made by hand as the first file says.

use queue_core::JobId;
use queue_testkit::durable::OpenCase;

use super::in_a_schema::{InASchema, opening};
use crate::fixture::run;

/// Every version of the schema, the first one first.
const VERSIONS: [&str; 6] = [
    include_str!("../../../migrations/0001_tables.sql"),
    include_str!("../../../migrations/0002_time.sql"),
    include_str!("../../../migrations/0003_push.sql"),
    include_str!("../../../migrations/0004_settle.sql"),
    include_str!("../../../migrations/0005_claim.sql"),
    include_str!("../../../migrations/0006_operate.sql"),
];

/// Makes one of each version with a job, and opens it.
pub(super) async fn upgrades(store: &InASchema) -> Vec<OpenCase<JobId>> {
    let mut connection = store.connection().await;
    let mut upgrades = Vec::new();
    for version in 1..=VERSIONS.len() {
        let store = InASchema::at(None);
        let schema = &store.schema;
        let id = JobId::from_u128(7);
        let made = format!("create schema {schema}; set search_path = {schema}, pg_temp");
        let files = VERSIONS[..version].iter().map(|file| (*file).to_owned());
        let filled = format!(
            "insert into schema_migrations (version) select generate_series(1, {version});
            insert into queues (name) values ('default');
            insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload)
                values ('{id}', 1, 'work', 0, 5, 1, 1, '{{\"number\":1}}');
            insert into ready select queue_id, priority, run_at, seq from jobs"
        );
        for sql in [made].into_iter().chain(files).chain([filled]) {
            run(&mut connection, sql).await.expect("an earlier version");
        }
        upgrades.push(opening(format!("a schema of version {version}"), store.builder(), vec![id]));
    }
    upgrades
}
