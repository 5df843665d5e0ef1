//! `jobs![…]`: a list of jobs, with an error that says what to do about a function that is not annotated.
//!
//! The payload type of a job has the name of its function. A function that is not annotated has no such type, and rustc
//! would report a constant or a function where a type is expected. So each name is imported next to a glob import of the
//! same name: an import shadows a glob import, separately in each namespace. If there is a payload type, it is the one that
//! is listed. Otherwise the name resolves to the type of the glob, which is not a job, and the trait `Listed` reports that.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Path, PathArguments, Token, bracketed};

use crate::expand::hygienic_span;

/// The path of `queue_core`, in brackets, and the jobs.
struct List {
    krate: Path,
    jobs: Punctuated<Path, Token![,]>,
}

impl Parse for List {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let krate;
        bracketed!(krate in input);
        Ok(Self { krate: krate.call(Path::parse_mod_style)?, jobs: Punctuated::parse_terminated(input)? })
    }
}

/// Writes the list.
pub(crate) fn jobs(input: TokenStream) -> TokenStream {
    match List::parse.parse2(input) {
        Ok(List { krate, jobs }) => {
            let listed = jobs.iter().map(|job| listed(&krate, job));
            quote!({ let jobs = #krate::Jobs::new(); #(#listed)* jobs })
        }
        Err(error) => error.into_compile_error(),
    }
}

/// Adds one job to the list.
fn listed(krate: &Path, job: &Path) -> TokenStream {
    let name = job.segments.last().map(|last| &last.ident).filter(|_| is_importable(job));
    let Some(name) = name else {
        return quote!(let jobs = #krate::private::listed::<#job>(jobs););
    };
    let at = hygienic_span(name.span());
    // All tokens get the name's span, because rustc underlines a path from its first token to its last.
    let list = quote_spanned!(at=> __listed::<__Job>);
    quote! {
        #[allow(deprecated, non_camel_case_types, unreachable_pub, unused_imports, clippy::all, clippy::pedantic)]
        let jobs = {
            mod __unannotated {
                // A module of its own, so that the glob imports only the alias.
                mod function {
                    pub struct #name {}
                }
                pub use self::function::#name as __Job;
            }
            use __unannotated::*;
            use #job as __Job;
            use #krate::private::listed as __listed;
            #list(jobs)
        };
    }
}

/// Returns whether `use` accepts the path.
fn is_importable(path: &Path) -> bool {
    let is_plain = path.segments.iter().all(|segment| matches!(segment.arguments, PathArguments::None));
    let last = path.segments.last().map(|last| last.ident.to_string());
    is_plain && !matches!(last.as_deref(), None | Some("self" | "super" | "crate" | "Self"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(input: &str) -> String {
        jobs(input.parse().unwrap()).to_string()
    }

    #[test]
    fn each_job_is_imported_beside_a_type_of_its_name() {
        let text = expanded("[::queue_core] ship, m::mail,");

        assert!(text.contains("use ship as __Job"), "{text}");
        assert!(text.contains("use m :: mail as __Job") && text.contains("pub struct mail"), "{text}");
    }

    #[test]
    fn a_path_that_cannot_be_imported_is_listed_as_it_is() {
        let text = expanded("[::queue_core] Generic<u8>, Self");

        assert!(
            text.contains("listed :: < Generic < u8 > >") && text.contains("listed :: < Self >"),
            "{text}"
        );
        assert!(!text.contains("use "), "{text}");
    }

    #[test]
    fn an_expression_is_an_error() {
        assert!(expanded("[::queue_core] ship()").contains("compile_error"));
    }
}
