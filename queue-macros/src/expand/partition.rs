//! The job's partition.

use proc_macro2::TokenStream;
use quote::quote;

use super::template::formatted;
use crate::model::Job;

/// Writes `Job::partition`, or nothing if the job names none.
pub(super) fn partition(job: &Job) -> Option<TokenStream> {
    let private = job.attribute.private();
    let text = formatted(job, job.attribute.partition.as_ref()?);
    Some(quote! {
        fn partition(&self) -> #private::Partition {
            #private::Partition::from(#text)
        }
    })
}
