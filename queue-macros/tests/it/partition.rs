//! The partition.

use queue_core::{Job as _, NewJob, Partition, background_job};

#[background_job]
async fn anywhere(tenant: u64) {
    let _ = tenant;
}

#[background_job(partition = "{tenant}", unique = "{url}")]
async fn call_webhook(tenant: &str, url: &str) {
    let _ = (tenant, url);
}

#[background_job(partition = "region:{region:?}/{type}")]
async fn export(region: Option<u8>, r#type: u8) {
    let _ = (region, r#type);
}

/// M11: without `partition` a job names none.
#[test]
fn a_job_without_the_attribute_names_no_partition() {
    assert_eq!(NewJob::from(anywhere::new(7)).partition, Partition::NONE);
}

/// M11: the partition is a text of the fields that it names.
#[test]
fn the_partition_has_the_fields_that_it_names() {
    let job = NewJob::from(call_webhook::new("acme", "https://example.com"));

    assert_eq!(job.partition, Partition::new("acme"));
    assert_eq!(export::new(Some(3), 1).partition(), Partition::new("region:Some(3)/1"));
    assert_eq!(call_webhook::new("", "https://example.com").partition(), Partition::NONE);
}
