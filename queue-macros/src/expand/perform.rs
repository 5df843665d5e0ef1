//! Writes `Job::Output` and `Job::perform`: take the services, call the function, convert what it returns to an outcome.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, ReturnType};

use super::derived::copy;
use super::{hygienic_span, service};
use crate::model::{Attribute, Field, Job, Parameter, Storage};

pub(super) fn perform(job: &Job) -> TokenStream {
    let private = job.attribute.private();
    let scope = Ident::new("__scope", Span::mixed_site());
    let this = Ident::new("self", Span::mixed_site());
    let (resolve, work): (fn(&_, &_, &_) -> _, _) = if job.attribute.blocking.is_some() {
        (service::resolve, blocking(job, &scope, &this))
    } else {
        let call = call(job, &this);
        let parts = parts(job, &quote!(#call.await));
        (service::borrow, quote!(#private::Scope::returned(#scope, #parts)))
    };
    let resolved = job.services().map(|wanted| resolve(wanted, &scope, &job.attribute));
    // rustc reports here what is not `Send`, so this gets the span of the function's name.
    let span = hygienic_span(job.function.signature.ident.span());
    let future = quote_spanned! {span=>
        ::std::boxed::Box::pin(async move {
            #(#resolved)*
            #work
        })
    };
    quote! {
        fn perform<'__attempt>(
            &'__attempt #this,
            #scope: &'__attempt #private::Scope,
        ) -> #private::BoxFuture<'__attempt, #private::Outcome> {
            #future
        }
    }
}

/// Writes the call on a dedicated thread, to which all arguments are moved.
fn blocking(job: &Job, scope: &Ident, this: &Ident) -> TokenStream {
    let span = hygienic_span(job.function.signature.ident.span());
    let private = job.attribute.private_at(span);
    let payload = Ident::new("__payload", Span::mixed_site());
    let call = call(job, &payload);
    let parts = parts(job, &call);
    quote_spanned! {span=>
        let #payload = ::core::clone::Clone::clone(#this);
        #private::Scope::run_blocking(#scope, move || #parts).await
    }
}

fn call(job: &Job, payload: &Ident) -> TokenStream {
    let function = &job.function.signature.ident;
    let arguments = job.parameters.iter().map(|parameter| match parameter {
        Parameter::Field(field) => passed(field, &job.attribute, payload),
        Parameter::Service(service) => service::passed(service),
    });
    quote!(#function(#(#arguments),*))
}

/// Writes the type of the job's result.
pub(super) fn output(job: &Job) -> TokenStream {
    let outcome = into_outcome(job);
    let span = return_span(job);
    quote_spanned!(span=> type Output = #outcome::Value;)
}

/// Writes the conversion of the returned value.
fn parts(job: &Job, returned: &TokenStream) -> TokenStream {
    let outcome = into_outcome(job);
    let span = return_span(job);
    quote_spanned!(span=> #outcome::into_parts(#returned))
}

/// Writes `<T as IntoOutcome>` of the return type, where rustc reports a type that can't be converted.
fn into_outcome(job: &Job) -> TokenStream {
    let span = return_span(job);
    let private = job.attribute.private_at(span);
    match &job.function.signature.output {
        ReturnType::Default => quote_spanned!(span=> <() as #private::IntoOutcome>),
        ReturnType::Type(_, ty) => quote_spanned!(span=> <#ty as #private::IntoOutcome>),
    }
}

fn return_span(job: &Job) -> Span {
    match &job.function.signature.output {
        ReturnType::Default => Span::mixed_site(),
        ReturnType::Type(_, ty) => hygienic_span(ty.span()),
    }
}

/// Passes a field of `payload` to the function.
fn passed(field: &Field, attribute: &Attribute, payload: &Ident) -> TokenStream {
    let name = &field.name;
    let span = hygienic_span(name.span());
    match &field.storage {
        Storage::Value => copy(field, attribute, &payload.to_token_stream()),
        Storage::Owned(_) => quote_spanned!(span=> &#payload.#name),
        Storage::Optional(_) => quote_spanned!(span=> ::core::option::Option::as_ref(&#payload.#name)),
        Storage::OptionalDeref(_) => quote_spanned!(span=> ::core::option::Option::as_deref(&#payload.#name)),
    }
}
