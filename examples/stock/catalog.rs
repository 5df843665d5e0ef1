//! The stored products, as statements over a connection.
//!
//! Each is a plain function, to be run by [`Database::run`](crate::database::Database::run) or
//! [`Tx::run`](crate::transaction::Tx::run).

use rusqlite::{Connection, OptionalExtension as _, Result, Row};
use serde::Serialize;

use crate::product::Product;

/// A product with the results of its background work so far.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// The product.
    #[serde(flatten)]
    pub product: Product,
    /// Whether an e-mail about the product was sent.
    pub mailed: bool,
    /// The supplier's reference of the product, once the supplier has it.
    pub supplier_reference: Option<String>,
}

impl Entry {
    /// Returns whether all background work for the product is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.mailed && self.supplier_reference.is_some()
    }
}

/// The revision of the catalogue: a report of it covers all products up to this one.
pub type Revision = i64;

/// Adds a product. Returns `None` if its SKU is taken.
///
/// # Errors
///
/// The error of the database.
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

/// Returns all products, in the order in which they were added.
///
/// # Errors
///
/// The error of the database.
pub fn list(connection: &Connection) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare(&format!("{SELECT} ORDER BY revision"))?;
    statement.query_map((), entry)?.collect()
}

/// Returns a product.
///
/// # Errors
///
/// The error of the database.
pub fn find(connection: &Connection, sku: &str) -> Result<Option<Entry>> {
    connection.query_row(&format!("{SELECT} WHERE sku = ?1"), [sku], entry).optional()
}

/// Stores the supplier's reference of a product.
///
/// # Errors
///
/// The error of the database.
pub fn note_supplier(connection: &Connection, sku: &str, reference: &str) -> Result<()> {
    connection
        .execute("UPDATE products SET supplier_reference = ?2 WHERE sku = ?1", [sku, reference])
        .map(drop)
}

/// Records that the e-mail about a product was sent.
///
/// # Errors
///
/// The error of the database; also if an e-mail about this product was recorded before.
pub fn note_mail(connection: &Connection, sku: &str, message_id: &str) -> Result<()> {
    connection.execute("INSERT INTO outbox (sku, message_id) VALUES (?1, ?2)", [sku, message_id]).map(drop)
}

/// Returns the newest revision; zero if there is no product.
///
/// # Errors
///
/// The error of the database.
pub fn revision(connection: &Connection) -> Result<Revision> {
    connection.query_row("SELECT coalesce(max(revision), 0) FROM products", (), |row| row.get(0))
}

/// Returns the revision that the report covers; `None` if there is no report.
///
/// # Errors
///
/// The error of the database.
pub fn reported(connection: &Connection) -> Result<Option<Revision>> {
    connection.query_row("SELECT revision FROM report", (), |row| row.get(0)).optional()
}

/// Records the revision that the report covers.
///
/// # Errors
///
/// The error of the database.
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
