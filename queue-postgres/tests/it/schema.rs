//! The schema as administrators see it: documented, and the same however it was created.

use std::path::Path;

use queue_core::BoxError;
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{self, AssertSqlSafe, PgConnection};

use crate::fixture::{TestResult, queue, run, schema, url};

/// The released versions of the schema from version 1: the numbered files and the functions as released, and jobs.
pub(crate) const VERSIONS: [(&str, &str); 1] =
    [(include_str!("schemas/version_1.sql"), include_str!("schemas/version_1_jobs.sql"))];

/// Creates a schema as a released version created it, with jobs.
pub(crate) async fn make_version(
    connection: &mut PgConnection,
    schema: &str,
    (files, jobs): (&str, &str),
) -> TestResult {
    let path = format!("create schema {schema}; set search_path = {schema}, pg_temp");
    for sql in [&path, files, jobs] {
        run(connection, sql).await?;
    }
    run(connection, "reset search_path").await
}

/// Reads the definitions and comments of everything in a schema, whose name is left out.
async fn definitions(connection: &mut PgConnection, schema: &str) -> Result<Vec<String>, BoxError> {
    let statement = format!(
        "select concat_ws(' ', 'relation', relname, relkind, reloptions::text, obj_description(oid, 'pg_class'))
            from pg_class where relnamespace = '{schema}'::regnamespace
        union all
        select concat_ws(' ', 'column', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull,
                attidentity, attcollation::regcollation, pg_get_expr(adbin, adrelid), col_description(attrelid, attnum))
            from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
            where attrelid in (select oid from pg_class where relnamespace = '{schema}'::regnamespace) and attnum > 0
        union all
        select concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid))
            from pg_constraint where connamespace = '{schema}'::regnamespace
        union all
        select indexdef from pg_indexes where schemaname = '{schema}'
        union all
        select concat_ws(' ', 'view', viewname, definition) from pg_views where schemaname = '{schema}'
        union all
        select concat_ws(' ', pg_get_functiondef(oid), proacl, obj_description(oid, 'pg_proc'))
            from pg_proc where pronamespace = '{schema}'::regnamespace
        order by 1"
    );
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| row.replace(schema, "queue")).collect())
}

/// Asserts that two schemas are the same.
#[track_caller]
fn assert_same(found: &[String], expected: &[String], reason: &str) {
    let lacking = expected.iter().find(|row| !found.contains(row));
    assert_eq!(lacking, None, "missing: {reason}");
    let unexpected = found.iter().find(|row| !expected.contains(row));
    assert_eq!(unexpected, None, "unexpected: {reason}");
}

/// Before its release, version 1 follows every change. In the directory `queue-postgres`:
/// `cat migrations/0*.sql functions/*.sql > tests/it/schemas/version_1.sql`.
#[tokio::test]
async fn a_migrated_schema_of_each_version_is_the_same_as_a_fresh_one() -> TestResult {
    let (_, mut connection, fresh) = queue().await?;
    let expected = definitions(&mut connection, &fresh).await?;

    for version in VERSIONS {
        let schema = schema();
        make_version(&mut connection, &schema, version).await?;
        PostgresQueue::builder(url()).schema(&schema).migrate().await?;

        let reason =
            "change the schema by a new numbered file (before the first release: see this test's comment)";
        assert_same(&definitions(&mut connection, &schema).await?, &expected, reason);
    }
    Ok(())
}

/// Runs the steps that the first file lists for psql.
#[tokio::test]
async fn a_schema_that_is_created_by_hand_is_the_same_as_a_fresh_one() -> TestResult {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(folder.join(path));
    let (_, mut connection, fresh) = queue().await?;
    let schema = schema();

    let first_file = read("migrations/0001_tables.sql")?;
    let steps = first_file.lines().map_while(|line| line.strip_prefix("--"));
    for step in steps.filter_map(|line| line.strip_prefix("     ")) {
        let sql = match step.strip_prefix("\\i ") {
            Some(path) => read(path)?,
            None => step
                .replace("schema queue;", &format!("schema {schema};"))
                .replace("= queue,", &format!("= {schema},")),
        };
        run(&mut connection, sql).await?;
    }

    let expected = definitions(&mut connection, &fresh).await?;
    assert_same(&definitions(&mut connection, &schema).await?, &expected, "see 0001_tables.sql");
    PostgresQueue::builder(url()).schema(&schema).run_migrations(false).connect().await?;
    Ok(())
}

/// A migration replaces every function and the view while programs use them.
#[tokio::test]
async fn functions_that_are_replaced_keep_their_grants() -> TestResult {
    let (_, mut connection, schema) = queue().await?;
    let revoke = format!("revoke execute on all functions in schema {schema} from public");
    run(&mut connection, format!("set search_path = {schema}, pg_temp; {revoke}")).await?;
    let expected = definitions(&mut connection, &schema).await?;

    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("functions"))? {
        run(&mut connection, std::fs::read_to_string(file?.path())?).await?;
    }

    assert_same(&definitions(&mut connection, &schema).await?, &expected, "a function has lost its grants");
    Ok(())
}

#[tokio::test]
async fn every_table_column_view_and_function_has_a_comment() -> TestResult {
    let (_, mut connection, schema) = queue().await?;

    let statement = format!(
        "select relname::text from pg_class
            where relnamespace = '{schema}'::regnamespace and relkind in ('r', 'v')
                and obj_description(oid, 'pg_class') is null
        union all
        select attrelid::regclass::text || '.' || attname from pg_attribute join pg_class c on c.oid = attrelid
            where relnamespace = '{schema}'::regnamespace and relkind in ('r', 'v') and attnum > 0
                and col_description(attrelid, attnum) is null
        union all
        select oid::regprocedure::text from pg_proc
            where pronamespace = '{schema}'::regnamespace and obj_description(oid, 'pg_proc') is null"
    );
    let lacking: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&mut connection).await?;

    assert!(lacking.is_empty(), "add `comment on` for {lacking:?}");
    Ok(())
}
