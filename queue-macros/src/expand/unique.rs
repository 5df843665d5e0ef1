//! The job's unique key.

use proc_macro2::TokenStream;
use quote::quote;

use super::options::duration;
use super::template::formatted;
use crate::model::{Job, UniqueKey};

/// Writes `Job::unique`, or nothing if the job is not unique.
pub(super) fn unique(job: &Job) -> Option<TokenStream> {
    let private = job.attribute.private();
    let unique = job.attribute.unique.as_ref()?;
    let key = match &unique.key {
        UniqueKey::Payload => quote!(#private::Unique::of_payload(self)),
        UniqueKey::Template(template) => {
            let text = formatted(job, template);
            quote!(#private::Unique::new(#text))
        }
    };
    let within = unique.within.map(|window| {
        let window = duration(window);
        quote!(.within(#window))
    });
    let replace = unique.replace.then(|| quote!(.replace()));
    Some(quote! {
        fn unique(&self) -> ::core::option::Option<#private::Unique> {
            ::core::option::Option::Some(#key #within #replace)
        }
    })
}
