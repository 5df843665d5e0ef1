//! Compares the tables, indexes, views and triggers of a file with those that this program creates.

use std::collections::BTreeMap;

use queue_core::admin::{Check, Finding, Severity};
use rusqlite::{Connection, Result};

use crate::migrations;

/// A table, an index, a view or a trigger.
#[derive(PartialEq)]
struct Object {
    kind: String,
    sql: String,
}

/// Returns a finding for each object that is missing or differs.
pub(super) fn drift(connection: &Connection) -> Result<Vec<Finding>> {
    if migrations::is_newer(connection)? {
        let what = "a newer program has migrated the schema, so this program can't compare it";
        let cure = "run the diagnosis with the newest program";
        return Ok(vec![Finding::new(Check::Schema, Severity::Note, what, cure)]);
    }
    let fresh = Connection::open_in_memory()?;
    migrations::create(&fresh)?;
    let (expected, found) = (objects(&fresh)?, objects(connection)?);
    let differ = expected.iter().filter_map(|(name, object)| match found.get(name) {
        Some(other) if other == object => None,
        Some(_) => Some(finding(name, object, "differs from the one that this program creates")),
        None => Some(finding(name, object, "is missing")),
    });
    Ok(differ.collect())
}

/// Returns the objects of the queue by name. SQLite stores no text for the indexes that it creates for constraints.
fn objects(connection: &Connection) -> Result<BTreeMap<String, Object>> {
    let select = r"select name, type, sql from sqlite_schema where name like 'queue\_%' escape '\' and sql is not null";
    let mut select = connection.prepare(select)?;
    let objects =
        select.query_map([], |row| Ok((row.get(0)?, Object { kind: row.get(1)?, sql: row.get(2)? })))?;
    objects.collect()
}

fn finding(name: &str, object: &Object, what: &str) -> Finding {
    let Object { kind, sql } = object;
    let cure = match kind.as_str() {
        "table" => "restore the file from a backup, or move its jobs to a new file".to_owned(),
        _ => format!("create it again: `drop {kind} if exists {name}; {sql}`"),
    };
    Finding::new(Check::Schema, Severity::Fault, format!("the {kind} `{name}` {what}"), cure)
}
