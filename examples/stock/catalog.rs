//! What is stored of products, as statements over a connection.
//!
//! Each is a plain function, to be run by [`Database::run`](crate::database::Database::run) or
//! [`Tx::run`](crate::transaction::Tx::run).

use rusqlite::{Connection, OptionalExtension as _, Result, Row};
use serde::Serialize;

use crate::product::Product;

/// A product with what the background has done for it so far.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// The product.
    #[serde(flatten)]
    pub product: Product,
    /// Whether an e-mail about it went out.
    pub mailed: bool,
    /// What the supplier calls it, once the supplier knows it.
    pub supplier_reference: Option<String>,
}

impl Entry {
    /// Tells whether nothing is left to do for the product.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.mailed && self.supplier_reference.is_some()
    }
}

/// Which products a report covers: all up to this one.
pub type Revision = i64;

/// Adds a product; `None` if its SKU is taken.
///
/// # Errors
///
/// What the database said.
pub fn add(connection: &Connection, product: &Product) -> Result<Option<Revision>> {
    let Product { sku, name, price_cents, stock } = product;
    connection
        .query_row(
            "INSERT INTO products (sku, name, price_cents, stock) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (sku) DO NOTHING RETURNING revision",
            (sku, name, price_cents, stock),
            |row| row.get(0),
        )
        .optional()
}

/// Lists all products, in the order in which they were added.
///
/// # Errors
///
/// What the database said.
pub fn list(connection: &Connection) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare(&format!("{SELECT} ORDER BY revision"))?;
    statement.query_map((), entry)?.collect()
}

/// Finds a product.
///
/// # Errors
///
/// What the database said.
pub fn find(connection: &Connection, sku: &str) -> Result<Option<Entry>> {
    connection.query_row(&format!("{SELECT} WHERE sku = ?1"), [sku], entry).optional()
}

/// Notes what the supplier calls a product.
///
/// # Errors
///
/// What the database said.
pub fn note_supplier(connection: &Connection, sku: &str, reference: &str) -> Result<()> {
    connection
        .execute("UPDATE products SET supplier_reference = ?2 WHERE sku = ?1", [sku, reference])
        .map(drop)
}

/// Notes that the e-mail about a product went out.
///
/// # Errors
///
/// What the database said; one about this product was noted before.
pub fn note_mail(connection: &Connection, sku: &str, message_id: &str) -> Result<()> {
    connection.execute("INSERT INTO outbox (sku, message_id) VALUES (?1, ?2)", [sku, message_id]).map(drop)
}

/// Tells the newest revision; zero if there is no product.
///
/// # Errors
///
/// What the database said.
pub fn revision(connection: &Connection) -> Result<Revision> {
    connection.query_row("SELECT coalesce(max(revision), 0) FROM products", (), |row| row.get(0))
}

/// Tells up to which revision the report goes; `None` if there is none.
///
/// # Errors
///
/// What the database said.
pub fn reported(connection: &Connection) -> Result<Option<Revision>> {
    connection.query_row("SELECT revision FROM report", (), |row| row.get(0)).optional()
}

/// Notes up to which revision the report goes.
///
/// # Errors
///
/// What the database said.
pub fn note_report(connection: &Connection, revision: Revision) -> Result<()> {
    connection.execute("INSERT OR REPLACE INTO report (id, revision) VALUES (1, ?1)", [revision]).map(drop)
}

const SELECT: &str = "SELECT sku, name, price_cents, stock, message_id IS NOT NULL, supplier_reference
    FROM products LEFT JOIN outbox USING (sku)";

fn entry(row: &Row<'_>) -> Result<Entry> {
    let product =
        Product { sku: row.get(0)?, name: row.get(1)?, price_cents: row.get(2)?, stock: row.get(3)? };
    Ok(Entry { product, mailed: row.get(4)?, supplier_reference: row.get(5)? })
}
