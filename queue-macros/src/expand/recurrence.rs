//! When a schedule enqueues the job.

use proc_macro2::TokenStream;
use quote::quote;

use super::options::duration;
use crate::model::{Attribute, CatchUpWord, OverlapWord, RecurrenceArguments};

/// Writes `Job::recurrence`, or nothing if no schedule enqueues the job.
pub(super) fn recurrence(attribute: &Attribute) -> Option<TokenStream> {
    let private = attribute.private();
    let RecurrenceArguments { cron, every, zone, overlap, catch_up } = &attribute.recurrence;
    let timing = match (cron, every) {
        (Some(cron), _) => quote!(cron(#cron)),
        (None, Some((_, interval))) => {
            let interval = duration(*interval);
            quote!(every(#interval))
        }
        (None, None) => return None,
    };
    let zone = zone.as_ref().map(|zone| quote!(.zone(#zone)));
    let overlap = overlap.as_ref().map(|(_, word)| match word {
        OverlapWord::Skip => quote!(.overlap(#private::Overlap::Skip)),
        OverlapWord::Follow => quote!(.overlap(#private::Overlap::Follow)),
        OverlapWord::Allow => quote!(.overlap(#private::Overlap::Allow)),
    });
    let catch_up = catch_up.as_ref().map(|(_, word)| match word {
        CatchUpWord::Latest => quote!(.catch_up(#private::CatchUp::Latest)),
        CatchUpWord::All => quote!(.catch_up(#private::CatchUp::All { at_most: #private::CatchUp::MOST })),
        CatchUpWord::Skip => quote!(.catch_up(#private::CatchUp::Skip { grace: #private::CatchUp::GRACE })),
    });
    Some(quote! {
        fn recurrence() -> ::core::option::Option<#private::Recurrence> {
            ::core::option::Option::Some(#private::Recurrence::#timing #zone #overlap #catch_up)
        }
    })
}
