use std::rc::Rc;

use queue_core::background_job;

#[background_job(blocking)]
fn ship(#[inject] pool: Rc<u64>, order: u64) {
    let _ = (pool, order);
}

fn main() {}
