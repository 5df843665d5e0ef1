//! `Job::perform`: take the services, call the function, turn what it returns to an outcome.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, ReturnType};

use super::{generated_at, payload, service};
use crate::model::{Job, Parameter};

pub(super) fn perform(job: &Job) -> TokenStream {
    let private = job.attribute.private();
    let scope = Ident::new("__scope", Span::mixed_site());
    let this = Ident::new("self", Span::mixed_site());
    let resolved = job
        .services()
        .map(|wanted| service::resolve(wanted, &scope, &private));
    let work = if job.attribute.blocking.is_some() {
        blocking(job, &scope, &this)
    } else {
        let call = call(job, &this);
        outcome(job, &quote!(#call.await))
    };
    // What is not `Send` is reported here, so this stands at the function's name.
    let span = generated_at(job.function.signature.ident.span());
    let future = quote_spanned! {span=>
        ::std::boxed::Box::pin(async move {
            #(#resolved)*
            #work
        })
    };
    quote! {
        fn perform<'a>(&'a #this, #scope: &'a #private::Scope) -> #private::BoxFuture<'a, #private::Outcome> {
            #future
        }
    }
}

/// Writes the call on a thread of its own, to which everything is moved.
fn blocking(job: &Job, scope: &Ident, this: &Ident) -> TokenStream {
    let private = job.attribute.private();
    let payload = Ident::new("__payload", Span::mixed_site());
    let call = call(job, &payload);
    let outcome = outcome(job, &call);
    let span = generated_at(job.function.signature.ident.span());
    quote_spanned! {span=>
        let #payload = ::core::clone::Clone::clone(#this);
        #private::Scope::run_blocking(#scope, move || #outcome).await
    }
}

fn call(job: &Job, payload: &Ident) -> TokenStream {
    let function = &job.function.signature.ident;
    let arguments = job.parameters.iter().map(|parameter| match parameter {
        Parameter::Field(field) => payload::passed(field, payload),
        Parameter::Service(service) => service::passed(service),
    });
    quote!(#function(#(#arguments),*))
}

/// Writes the conversion of the returned value; a type that can't be converted is reported where it is written.
fn outcome(job: &Job, returned: &TokenStream) -> TokenStream {
    let private = job.attribute.private();
    match &job.function.signature.output {
        ReturnType::Default => quote!(#private::IntoOutcome::into_outcome(#returned)),
        ReturnType::Type(_, ty) => {
            let span = generated_at(ty.span());
            quote_spanned!(span=> <#ty as #private::IntoOutcome>::into_outcome(#returned))
        }
    }
}
