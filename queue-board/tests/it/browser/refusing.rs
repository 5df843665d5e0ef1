//! A board that may only be read, in the browser.

use std::sync::Arc;

use fantoccini::Locator;
use queue_board::Board;
use queue_core::{Admin as _, State};

use super::session::{Scripts, Session};
use crate::fixture::{TestResult, discarded, job, queue};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_board_has_no_buttons_and_refuses_forged_ones() -> TestResult {
    let queue = queue();
    let id = discarded(&queue, job("send", "1").queue("mail"), "refused").await?;
    // Without a rule, a board is read-only. The browser is on this machine, so it is admitted.
    let session = Session::open(Board::new(Arc::new(queue.clone())), Scripts::Allowed).await?;

    for path in ["", "/jobs", "/workers", "/names", &format!("/jobs/{id}")] {
        session.visit(path).await?;
        session.find_text("span", "read-only").await?;
        let forms = session.client.find_all(Locator::Css("form[method=post]")).await?;
        assert!(forms.is_empty(), "{path}");
    }
    let forged = format!(
        "(() => {{ const form = document.createElement('form'); form.method = 'post'; form.action = '/queue/jobs/{id}/retry'; \
         document.body.append(form); form.submit(); }})()"
    );
    session.evaluate(&forged).await?;
    session.find_text("body", "you may look at this board, but not change anything").await?;

    assert_eq!(queue.get(id).await?.map(|job| job.state), Some(State::Discarded));
    Ok(())
}
