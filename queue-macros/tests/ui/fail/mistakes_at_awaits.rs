//! Mistakes around awaited operands are reported as in any other function.

use queue_core::background_job;

async fn pack(order: u64) -> Result<String, std::io::Error> {
    Ok(order.to_string())
}

#[background_job]
async fn wrong_type(order: u64) {
    let count: u32 = pack(order).await;
    drop(count);
}

#[background_job]
async fn wrong_argument(order: u64) {
    drop(pack("seven").await);
    drop(order);
}

#[background_job]
async fn no_future(order: u64) {
    order.await;
}

#[background_job]
async fn no_such_method(order: u64) {
    pack(order).await.unpack();
}

#[background_job]
async fn nowhere_to_return(order: u64) {
    pack(order).await?;
}

#[background_job]
async fn unused_result(order: u64) -> Result<(), std::io::Error> {
    let mut label = String::new();
    let borrowed = &mut label;
    label = pack(order).await?;
    borrowed.push('!');
    Ok(())
}

#[background_job]
async fn moved(order: u64) {
    let label = order.to_string();
    drop(async move { drop(label) }.await);
    pack(label.len()).await;
}

fn main() {}
