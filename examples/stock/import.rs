//! Products from a CSV file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use csv::{Position, StringRecord};

use crate::product::{InvalidProduct, Product, ProductForm};

/// Reads products from a CSV file whose first line names the columns: `sku,name,price_cents,stock`.
///
/// # Errors
///
/// The file, the line and the column of the first thing that is wrong.
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
            let problem = format!("`{}` was there before", product.sku);
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
    /// It can't be opened, or is no CSV.
    #[error("{} can't be read as CSV", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What is wrong; it names the line if there is one.
        source: csv::Error,
    },
    /// A field is not what its column holds, or a column is missing.
    #[error("{}, line {line}, column `{column}`: {problem}", file.display())]
    Misread {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// Which column.
        column: String,
        /// What is wrong there.
        problem: String,
    },
    /// A line is no product.
    #[error("{}, line {line}: {source}", file.display())]
    Invalid {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// Which columns, and what is wrong there.
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
