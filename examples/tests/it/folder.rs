//! A folder is emptied only if nobody wants what is in it.

use std::fs;

use queue_core::BoxError;
use stock::data_dir::{DataError, DataFolder};

#[test]
fn a_folder_of_somebody_else_is_left_alone() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("thesis.txt"), "the only copy")?;

    let opened = DataFolder::open(folder.path()).expect_err("it is not ours");
    let emptied = DataFolder::open_fresh(folder.path()).expect_err("it is not ours");

    assert!(matches!(opened, DataError::Foreign { .. }), "{opened}");
    assert!(matches!(emptied, DataError::Foreign { .. }), "{emptied}");
    assert!(folder.path().join("thesis.txt").exists());
    Ok(())
}

#[test]
fn a_catalogue_that_is_in_use_is_never_emptied_for_a_demo() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    DataFolder::open(folder.path())?;

    let emptied = DataFolder::open_fresh(folder.path()).expect_err("it is to be kept");

    assert!(matches!(emptied, DataError::Foreign { .. }), "{emptied}");
    Ok(())
}
