use queue_core::background_job;

trait Mailer {}

#[background_job]
async fn ship(#[inject] mailer: &dyn Mailer, order: u64) {
    let _ = (mailer, order);
}

fn main() {}
