//! Imports products from a CSV file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use csv::{Position, StringRecord};

use crate::product::{InvalidProduct, Product, ProductForm};

/// Reads products from a CSV file whose first line names the columns: `sku,name,price_cents,stock`.
///
/// # Errors
///
/// The file, the line and the column of the first mistake.
pub fn read(path: &Path) -> Result<Vec<Product>, ImportError> {
    let file = || path.to_owned();
    let mut table = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|source| ImportError::Unreadable { file: file(), source })?;
    let columns = table.headers().map_err(|source| ImportError::Unreadable { file: file(), source })?.clone();
    let mut products = Vec::new();
    let mut skus = HashSet::new();
    for row in table.records() {
        let row = row.map_err(|source| ImportError::Unreadable { file: file(), source })?;
        let line = row.position().map_or(0, Position::line);
        let form: ProductForm = row
            .deserialize(Some(&columns))
            .map_err(|error| ImportError::misread(file(), line, &columns, &row, &error))?;
        let product = form.check().map_err(|source| ImportError::Invalid { file: file(), line, source })?;
        if !skus.insert(product.sku.clone()) {
            let problem = format!("`{}` is a duplicate", product.sku);
            return Err(ImportError::Misread { file: file(), line, column: "sku".to_owned(), problem });
        }
        products.push(product);
    }
    Ok(products)
}

/// Why a file can't be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file can't be opened, or is not CSV.
    #[error("{} can't be read as CSV", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The problem, with the line if there is one.
        source: csv::Error,
    },
    /// A field has the wrong type for its column, or a column is missing.
    #[error("{}, line {line}, column `{column}`: {problem}", file.display())]
    Misread {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// The problem.
        problem: String,
    },
    /// A line is not a valid product.
    #[error("{}, line {line}: {source}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The columns, each with its problem.
        source: InvalidProduct,
    },
}

impl ImportError {
    fn misread(
        file: PathBuf,
        line: u64,
        columns: &StringRecord,
        row: &StringRecord,
        error: &csv::Error,
    ) -> Self {
        let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
            return Self::Misread { file, line, column: "?".to_owned(), problem: error.to_string() };
        };
        let field = err.field().and_then(|field| usize::try_from(field).ok());
        let column = field.and_then(|field| columns.get(field)).unwrap_or("?").to_owned();
        let value = field.and_then(|field| row.get(field)).map(|value| format!("`{value}`: "));
        let problem = format!("{}{}", value.unwrap_or_default(), err.kind());
        Self::Misread { file, line, column, problem }
    }
}
