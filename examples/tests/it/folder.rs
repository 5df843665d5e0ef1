//! A folder is emptied only if the application may delete its content.

use std::fs;

use queue_core::BoxError;
use stock::data_dir::{DataError, DataFolder};

#[test]
fn a_folder_with_foreign_files_is_left_alone() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("thesis.txt"), "the only copy")?;

    let opened = DataFolder::open(folder.path()).expect_err("the folder has foreign files");
    let emptied = DataFolder::open_fresh(folder.path()).expect_err("the folder has foreign files");

    assert!(matches!(opened, DataError::Foreign { .. }), "{opened}");
    assert!(matches!(emptied, DataError::Foreign { .. }), "{emptied}");
    assert!(folder.path().join("thesis.txt").exists());
    Ok(())
}

#[test]
fn a_catalogue_that_is_in_use_is_never_emptied_for_a_demo() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    DataFolder::open(folder.path())?;

    let emptied = DataFolder::open_fresh(folder.path()).expect_err("the catalogue must be kept");

    assert!(matches!(emptied, DataError::Foreign { .. }), "{emptied}");
    Ok(())
}
