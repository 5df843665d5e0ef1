//! M6: a mistake causes no further errors where the job is used.

use queue_core::background_job;

struct Order;

#[background_job(queue = "my mail")]
async fn ship(order: u64, to: &str) {
    let _ = (order, to);
}

#[background_job]
async fn pack(first: &mut Order, (a, b): (u8, u8), to: &str) {
    let _ = (first, a, b, to);
}

async fn enqueue(queue: &dyn queue_core::Queue) {
    use queue_core::QueueExt as _;

    let job = ship { order: 1, to: String::new() };
    let _ = queue.enqueue(job.clone()).await;
    assert_eq!(job, ship::new(1, "x"));
    ship(1, "x").await;
    let _ = queue.enqueue(pack::new(&mut Order, (1, 2), "x")).await;
}

fn main() {
    let _ = queue_core::jobs![ship, pack];
    let _ = enqueue;
}
