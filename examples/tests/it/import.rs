//! The error for a file that can't be imported names the file, the line and the column.

use std::fs;
use std::path::Path;

use queue_core::BoxError;
use queue_core::backend::error_chain;
use stock::import;
use stock::settings::Settings;

/// Imports a file with this content, and returns the error message.
fn import_error(content: &[u8]) -> Result<String, BoxError> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("products.csv");
    fs::write(&file, content)?;
    let error = import::read(&file).expect_err("it can't be imported");
    Ok(error_chain(&error).replace(&file.display().to_string(), "FILE"))
}

#[test]
fn the_products_of_the_demo_are_valid() -> Result<(), BoxError> {
    assert_eq!(import::read(&Settings::new().products())?.len(), 12);
    Ok(())
}

#[test]
fn a_value_that_is_not_a_number_is_shown_with_its_line_and_column() -> Result<(), BoxError> {
    let message = import_error(b"sku,name,price_cents,stock\nA,a,1,2\nB,b,cheap,2\n")?;

    assert_eq!(message, "FILE, line 3, column `price_cents`: `cheap`: invalid digit found in string");
    Ok(())
}

#[test]
fn an_invalid_product_is_shown_with_its_line_and_column() -> Result<(), BoxError> {
    let message = import_error(b"sku,name,price_cents,stock\nA,a,-1,2\n")?;

    assert_eq!(message, "FILE, line 2: `price_cents` must not be negative, but is -1");
    Ok(())
}

#[test]
fn a_column_that_is_missing_is_named() -> Result<(), BoxError> {
    let message = import_error(b"sku,name,stock\nA,a,2\n")?;

    assert!(message.contains("FILE, line 2") && message.contains("missing field `price_cents`"), "{message}");
    Ok(())
}

#[test]
fn a_duplicate_product_is_shown_with_its_line() -> Result<(), BoxError> {
    let message = import_error(b"sku,name,price_cents,stock\nA,a,1,2\nB,b,1,2\nA,c,1,2\n")?;

    assert_eq!(message, "FILE, line 4, column `sku`: `A` is a duplicate");
    Ok(())
}

#[test]
fn a_line_of_another_length_is_named() -> Result<(), BoxError> {
    let message = import_error(b"sku,name,price_cents,stock\nA,a\n")?;

    assert!(message.contains("FILE can't be read as CSV") && message.contains("line: 2"), "{message}");
    Ok(())
}

#[test]
fn a_file_that_is_not_text_is_refused() -> Result<(), BoxError> {
    let message = import_error(b"sku,name,price_cents,stock\nA,\xff\xfe,1,2\n")?;

    assert!(message.contains("FILE can't be read as CSV") && message.contains("UTF-8"), "{message}");
    Ok(())
}

#[test]
fn a_missing_file_is_named() {
    let error = import::read(Path::new("/nowhere/products.csv")).expect_err("there is no such file");

    assert!(error.to_string().contains("/nowhere/products.csv"), "{error}");
}
