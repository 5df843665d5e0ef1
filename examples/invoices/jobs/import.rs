//! The import of orders from a file.

use queue_core::{JobContext, JobError, background_job};

use crate::books::Books;
use crate::folder::Folder;
use crate::order::Order;

/// How many lines are one commit.
pub(crate) const PART: usize = 10;

/// Imports the orders of a file from a line on, part by part. The orders of a part and the job of the next part are one commit:
/// after a crash, or after a mistake in the file was corrected and the job was retried, the import continues where it stopped.
#[background_job(name = "invoices.import", unique = "{file}:{line}")]
pub(crate) async fn import_orders(
    #[inject] books: &mut Books,
    #[inject] folder: &Folder,
    #[inject] context: &JobContext,
    file: &str,
    line: usize,
) -> Result<(), JobError> {
    let text = folder.read(file)?;
    let mut next = line;
    for text in text.lines().skip(line).take(PART) {
        next += 1;
        // Another attempt would read the same line.
        let mistake = || JobError::permanent(format!("line {next} of {file} is no order"));
        books.add_order(Order::parse(text).ok_or_else(mistake)?).await?;
    }
    if next == line + PART {
        context.then(import_orders::new(file, next));
    }
    Ok(())
}
