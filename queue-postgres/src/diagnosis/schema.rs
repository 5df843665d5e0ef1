//! Compares the tables, indexes, functions and the view of a schema with those that this program creates.

use std::collections::BTreeMap;

use queue_core::admin::{Check, Finding, Severity};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};

use crate::migrations;
use crate::target::Target;

/// The schema in which the objects are created, in a transaction that is rolled back.
const FRESH: &str = "queue_diagnosis";

/// The definitions of all objects of the first schema of the search path, whose name they do not contain.
const DEFINITIONS: &str = "
    select 'table ' || relname, coalesce(reloptions::text, '') from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
    union all
    select 'column ' || relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity,
        nullif(attcollation, 0)::regcollation, pg_get_expr(adbin, adrelid, true))
    from pg_attribute join pg_class c on c.oid = attrelid left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and attnum > 0 and not attisdropped
    union all
    select 'constraint ' || conname, pg_get_constraintdef(oid, true) from pg_constraint
    where connamespace = current_schema()::regnamespace and contype <> 'n'
    union all
    select 'index ' || relname, pg_get_indexdef(oid, 0, true) from pg_class
    where relnamespace = current_schema()::regnamespace and relkind = 'i'
    union all
    select 'view ' || relname, pg_get_viewdef(oid, true) from pg_class
    where relnamespace = current_schema()::regnamespace and relkind = 'v'
    union all
    select 'function ' || proname || '(' || oidvectortypes(proargtypes) || ')', concat_ws(' ',
        pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), lanname, provolatile, prosrc,
        (select string_agg(setting, ' ' order by setting) from unnest(proconfig) setting where setting not like 'search_path=%'))
    from pg_proc p join pg_language l on l.oid = prolang where pronamespace = current_schema()::regnamespace";

/// Returns a finding for each object that is missing or differs.
pub(super) async fn drift(connection: &mut PgConnection, target: &Target) -> sqlx::Result<Vec<Finding>> {
    if migrations::is_newer(connection, target).await? {
        let what = "a newer program has migrated the schema, so this program can't compare it";
        let cure = "run the diagnosis with the newest program";
        return Ok(vec![Finding::new(Check::Schema, Severity::Note, what, cure)]);
    }
    let mut transaction = connection.begin().await?;
    let found = definitions(&mut transaction, &target.quoted_schema()).await?;
    let expected = match expected(&mut transaction).await {
        Err(error) if is_forbidden(&error) => {
            let what = "this user may not create a schema, so the tables were not compared with those of this program";
            let cure = "diagnose as a user with the right `create` on the database";
            return Ok(vec![Finding::new(Check::Schema, Severity::Note, what, cure)]);
        }
        expected => expected?,
    };
    transaction.rollback().await?;
    let differ = expected.iter().filter_map(|(name, definition)| match found.get(name) {
        Some(other) if other == definition => None,
        Some(_) => Some(finding(name, "differs from the one that this program creates", target)),
        None => Some(finding(name, "is missing", target)),
    });
    Ok(differ.collect())
}

/// Returns the definitions of the objects that this program creates.
async fn expected(transaction: &mut PgConnection) -> sqlx::Result<BTreeMap<String, String>> {
    raw_sql(AssertSqlSafe(format!("create schema {FRESH}; set local search_path to {FRESH}, pg_temp")))
        .execute(&mut *transaction)
        .await?;
    migrations::create(transaction).await?;
    definitions(transaction, FRESH).await
}

async fn definitions(transaction: &mut PgConnection, schema: &str) -> sqlx::Result<BTreeMap<String, String>> {
    let path = format!("set local search_path to {schema}, pg_temp");
    raw_sql(AssertSqlSafe(path)).execute(&mut *transaction).await?;
    let definitions: Vec<(String, String)> = sqlx::query_as(DEFINITIONS).fetch_all(transaction).await?;
    Ok(definitions.into_iter().collect())
}

/// Returns whether the user lacks a right.
fn is_forbidden(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42501")
}

fn finding(name: &str, what: &str, target: &Target) -> Finding {
    let cure = match name.split(' ').next() {
        Some("function" | "view") => "run the files of `queue-postgres/functions` of this program's version",
        Some("index" | "constraint") => "create it again as `queue-postgres/migrations` does",
        _ => "restore the schema from a backup, or move its jobs to a new schema",
    };
    let what = format!("the {name} of schema `{}` {what}", target.schema);
    Finding::new(Check::Schema, Severity::Fault, what, cure)
}
