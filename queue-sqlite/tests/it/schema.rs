//! Holds the schema to its documentation: `sqlite3 jobs.db .schema` prints the comments of every statement.

use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::{self, Connection};

use crate::fixture::TestResult;

/// A table, an index or a view.
#[derive(Debug, PartialEq, Eq)]
struct Definition {
    name: String,
    sql: String,
}

/// Reads the schema of a file. SQLite stores no text for the indexes that it creates for constraints.
fn definitions(connection: &Connection) -> rusqlite::Result<Vec<Definition>> {
    let mut select =
        connection.prepare("select name, sql from sqlite_schema where sql is not null order by name")?;
    select.query_map([], |row| Ok(Definition { name: row.get(0)?, sql: row.get(1)? }))?.collect()
}

/// Reads the columns of all tables, each with the name of its table.
fn columns(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut select = connection.prepare(
        "select s.name, c.name from sqlite_schema s join pragma_table_info(s.name) c where s.type = 'table'",
    )?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Returns whether a statement has a comment of its own, on its second line.
fn is_described(sql: &str) -> bool {
    sql.lines().nth(1).is_some_and(|line| line.trim_start().starts_with("-- "))
}

/// Returns whether a statement has a comment on the line of a column.
fn describes_column(sql: &str, column: &str) -> bool {
    sql.lines().any(|line| line.split_whitespace().next() == Some(column) && line.contains(" -- "))
}

#[tokio::test]
async fn every_table_column_index_and_view_has_a_comment() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    drop(SqliteQueue::open(&path).await?);
    let connection = Connection::open(&path)?;
    let definitions = definitions(&connection)?;

    let undescribed = definitions.iter().filter(|definition| !is_described(&definition.sql));
    let mut lacking: Vec<String> = undescribed.map(|definition| definition.name.clone()).collect();
    for (table, column) in columns(&connection)? {
        let is_of = |definition: &&Definition| definition.name == table;
        if !definitions.iter().find(is_of).is_some_and(|table| describes_column(&table.sql, &column)) {
            lacking.push(format!("{table}.{column}"));
        }
    }

    assert!(definitions.iter().any(|definition| definition.name == "queue_jobs"), "{definitions:?}");
    assert!(lacking.is_empty(), "add a `--` comment inside the `create` statement for {lacking:?}");
    Ok(())
}

/// Before the first release, `schemas/version_1.sql` follows every change of `migrations/0001_jobs.sql`.
#[tokio::test]
async fn an_upgraded_schema_of_each_version_is_the_same_as_a_fresh_one() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (fresh, upgraded) = (folder.path().join("fresh.db"), folder.path().join("upgraded.db"));
    Connection::open(&upgraded)?.execute_batch(include_str!("schemas/version_1.sql"))?;

    drop(SqliteQueue::open(&fresh).await?);
    drop(SqliteQueue::open(&upgraded).await?);

    let expected = definitions(&Connection::open(&fresh)?)?;
    assert_eq!(definitions(&Connection::open(&upgraded)?)?, expected);
    Ok(())
}
