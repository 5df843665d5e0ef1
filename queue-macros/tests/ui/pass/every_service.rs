//! M4: every form of service.

use queue_core::background_job;

use std::sync::Arc;

use queue_core::{CancellationToken, Exclusive, JobContext, Queue};

trait Mailer: Send + Sync {}
struct Pool;
struct Tx;

#[background_job]
async fn shared(
    #[inject] a: &Pool,
    #[inject] b: &dyn Mailer,
    #[inject] c: &(dyn Mailer + Send),
    #[inject] d: Arc<Pool>,
    #[inject] e: Option<&dyn Mailer>,
    #[inject] f: Option<Arc<Pool>>,
    #[inject("replica")] g: &Pool,
    #[inject(key = "replica")] h: &Pool,
    #[inject] i: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
) {
    let _ = (a, b, c, d, e, f, g, h, i);
}

#[background_job]
async fn exclusive(#[inject] a: &mut Tx, #[inject("other")] b: &mut Tx, #[inject] c: Exclusive<Pool>) {
    let _ = (a, b, c);
}

#[background_job]
async fn built_in(#[inject] a: &JobContext, #[inject] b: JobContext, #[inject] c: CancellationToken, #[inject] d: &dyn Queue) {
    let _ = (a, b, c, d);
}

fn main() {}
