//! `#[queue_testkit::test]` sets up a test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use queue_core::{BoxError, QueueExt as _, Services, ServicesBuilder, background_job};
use queue_testkit::TestKit;

#[background_job]
async fn count(#[inject] counter: &AtomicU32) {
    tokio::time::sleep(Duration::from_secs(3600)).await; // virtual
    counter.fetch_add(1, Ordering::SeqCst);
}

fn services() -> ServicesBuilder {
    Services::builder().singleton(AtomicU32::new(0))
}

#[queue_testkit::test]
async fn time_is_virtual() {
    let (began, machine) = (tokio::time::Instant::now(), std::time::Instant::now());

    tokio::time::sleep(Duration::from_secs(24 * 3600)).await; // virtual

    assert_eq!(began.elapsed().as_secs(), 24 * 3600);
    assert!(machine.elapsed() < Duration::from_secs(3600));
}

#[queue_testkit::test(jobs = [count], services = services())]
async fn a_test_may_take_its_kit_by_value(kit: TestKit) -> Result<(), BoxError> {
    kit.queue().enqueue(count::new()).await?;

    kit.run_until_idle().await?.expect_success();
    Ok(())
}

#[queue_testkit::test(jobs = [count], services = services(), seed = 7)]
async fn a_test_may_take_its_kit_by_reference(kit: &TestKit) {
    assert!(kit.jobs().is_empty());
}

#[queue_testkit::test(jobs = [count])]
#[should_panic(expected = "the kit of this test can't be built")]
async fn a_kit_that_can_not_be_built_fails_the_test(kit: TestKit) {
    drop(kit);
}

#[queue_testkit::test]
#[should_panic(expected = "no such thing")]
async fn a_test_that_fails_fails() {
    panic!("no such thing");
}
