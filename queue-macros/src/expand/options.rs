//! The job's defaults.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned as _;

use super::hygienic_span;
use crate::model::{Attribute, Backoff};

/// Writes `Job::options`, or nothing if all defaults of the framework apply.
pub(super) fn options(attribute: &Attribute) -> Option<TokenStream> {
    let private = attribute.private();
    let set = [
        attribute.queue.as_ref().map(|queue| quote!(.queue(#queue))),
        attribute.max_attempts.map(|attempts| quote!(.max_attempts(#attempts))),
        attribute.timeout.map(|timeout| {
            let timeout = duration(timeout);
            quote!(.timeout(#timeout))
        }),
        attribute.backoff.as_ref().map(|backoff| {
            let policy = policy(backoff, attribute);
            quote!(.retry(#policy))
        }),
        attribute.priority.map(|priority| quote!(.priority(#priority))),
        attribute.on_discard.as_ref().map(on_discard),
    ];
    let set: Vec<_> = set.into_iter().flatten().collect();
    (!set.is_empty()).then(|| {
        quote! {
            fn options() -> #private::JobOptions {
                #private::JobOptions::new() #(#set)*
            }
        }
    })
}

/// Writes the setting of the job that is stored on a discard. If its function does not take a `Discarded`, the error is at its path.
fn on_discard(job: &Path) -> TokenStream {
    let span = hygienic_span(job.span());
    quote_spanned!(span=> .on_discard(#job::new))
}

fn policy(backoff: &Backoff, attribute: &Attribute) -> TokenStream {
    let private = attribute.private();
    match backoff {
        Backoff::Fixed(wait) => {
            let wait = duration(*wait);
            quote!(#private::RetryPolicy::fixed(#wait))
        }
        Backoff::Exponential { first, max } => {
            let (first, max) = (duration(*first), duration(*max));
            quote!(#private::RetryPolicy::exponential(#first, #max))
        }
        Backoff::Custom(function) => {
            let span = hygienic_span(function.span());
            let private = attribute.private_at(span);
            quote_spanned!(span=> #private::RetryPolicy::custom(#function))
        }
    }
}

/// Writes a duration as a constant.
pub(super) fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}
