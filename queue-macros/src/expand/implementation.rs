//! `impl Job`.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;

use super::options::options;
use super::partition::partition;
use super::perform::{output, perform};
use super::recurrence::recurrence;
use super::unique::unique;
use super::{allow_lints, hygienic_span, service};
use crate::model::{Field, Job, Storage};
use crate::text::type_text;

pub(super) fn implementation(job: &Job) -> TokenStream {
    let private = job.attribute.private();
    let conditions = job.function.conditions();
    let ident = &job.function.signature.ident;
    let name = match &job.attribute.name {
        Some(name) => name.value(),
        None => ident.unraw().to_string(),
    };
    let aliases = &job.attribute.aliases;
    let fields = job.fields().map(shown);
    let options = options(&job.attribute);
    let recurrence = recurrence(&job.attribute);
    let unique = unique(job);
    let partition = partition(job);
    let dependencies = job.services().map(|wanted| service::dependency(wanted, &job.attribute));
    let output = output(job);
    let perform = perform(job);
    let allow_lints = allow_lints();
    let span = hygienic_span(ident.span());
    let private_at = job.attribute.private_at(span);
    let implementing = quote_spanned!(span=> impl #private_at::Job for #ident);
    quote! {
        #(#conditions)*
        #[automatically_derived]
        #allow_lints
        #implementing {
            const NAME: &'static str = #name;
            const ALIASES: &'static [&'static str] = &[#(#aliases),*];
            const FIELDS: &'static [&'static str] = &[#(#fields),*];

            #output

            #options
            #recurrence
            #unique
            #partition

            fn dependencies() -> ::std::vec::Vec<#private::Dependency> {
                ::std::vec![#(#dependencies),*]
            }

            #perform
        }
    }
}

/// Returns the type of a field as a user would write it, without the paths that only generated code needs.
fn shown(field: &Field) -> String {
    let short = |ty: &syn::Type| {
        let text = type_text(ty.to_token_stream());
        ["::std::string::", "::std::path::", "::std::ffi::", "::std::vec::"]
            .iter()
            .find_map(|path| text.strip_prefix(path))
            .unwrap_or(&text)
            .to_owned()
    };
    let ty = match &field.storage {
        Storage::Value => type_text(field.ty.to_token_stream()),
        Storage::Owned(owned) => short(owned),
        Storage::Optional(owned) | Storage::OptionalDeref(owned) => format!("Option<{}>", short(owned)),
    };
    format!("{}: {ty}", field.name.unraw())
}
