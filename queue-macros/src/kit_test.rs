//! `#[queue_testkit::test]`: a test under virtual time, with a kit if it takes one.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, ExprArray, FnArg, ItemFn, Token, Type};

use crate::diagnostics::Diagnostics;
use crate::parse::entries;

const KNOWN: [&str; 3] = ["jobs", "services", "seed"];

/// The arguments of the attribute.
#[derive(Default)]
struct Arguments {
    jobs: Option<ExprArray>,
    services: Option<Expr>,
    seed: Option<Expr>,
}

/// Writes the test; or the unchanged function with the errors.
pub(crate) fn kit_test(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::new();
    let arguments = read(arguments, &mut diagnostics);
    let function = diagnostics.keep(syn::parse2::<ItemFn>(item.clone()));
    if let Some(function) = &function {
        check(&arguments, function, &mut diagnostics);
    }
    match (diagnostics.finish(), function) {
        (None, Some(function)) => expand(&arguments, function),
        (errors, _) => quote!(#errors #item),
    }
}

fn read(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Arguments {
    let mut arguments = Arguments::default();
    let parser = |input: ParseStream<'_>| {
        entries(input, &KNOWN, diagnostics, |key, input, _| {
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "jobs" => arguments.jobs = Some(input.parse()?),
                "services" => arguments.services = Some(input.parse()?),
                _ => arguments.seed = Some(input.parse()?),
            }
            Ok(())
        });
        Ok(())
    };
    // `entries` has recorded all mistakes.
    drop(parser.parse2(tokens));
    arguments
}

fn check(arguments: &Arguments, function: &ItemFn, diagnostics: &mut Diagnostics) {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        diagnostics.error(signature.fn_token, "a test of the testkit must be an `async fn`");
    }
    let mut inputs = signature.inputs.iter();
    match (inputs.next(), &arguments.jobs) {
        (Some(FnArg::Receiver(this)), _) => diagnostics.error(this, "a test takes only a `TestKit`"),
        (Some(FnArg::Typed(kit)), None) => {
            diagnostics.error(kit, "a test that takes a kit needs its jobs: write `jobs = [send_welcome]`");
        }
        (None, Some(jobs)) => {
            diagnostics
                .error(jobs, "this test has jobs but no kit to run them: add the parameter `kit: TestKit`");
        }
        (Some(FnArg::Typed(_)), Some(_)) | (None, None) => {}
    }
    for more in inputs {
        diagnostics.error(more, "a test takes only a `TestKit`: remove this");
    }
}

fn expand(arguments: &Arguments, mut function: ItemFn) -> TokenStream {
    let attributes = std::mem::take(&mut function.attrs);
    let visibility = std::mem::replace(&mut function.vis, syn::Visibility::Inherited);
    let (name, output) = (&function.sig.ident, &function.sig.output);
    let kit = function.sig.inputs.first().map(|input| {
        let is_borrowed = matches!(input, FnArg::Typed(input) if matches!(*input.ty, Type::Reference(_)));
        let kit = kit(arguments);
        if is_borrowed { quote!(&#kit) } else { kit }
    });
    quote! {
        #(#attributes)*
        #[::core::prelude::v1::test]
        #visibility fn #name() #output {
            #function
            ::queue_testkit::private::run(async { #name(#kit).await })
        }
    }
}

fn kit(arguments: &Arguments) -> TokenStream {
    let jobs = arguments.jobs.iter().flat_map(|jobs| &jobs.elems);
    let services = arguments.services.as_ref().map(|services| quote!(.services(#services)));
    let seed = arguments.seed.as_ref().map(|seed| quote!(.seed(#seed)));
    quote! {
        ::queue_testkit::private::built(
            ::queue_testkit::TestKit::new(::queue_testkit::private::jobs![#(#jobs),*]) #services #seed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: &str, item: &str) -> String {
        kit_test(arguments.parse().unwrap(), &item.parse().unwrap()).to_string()
    }

    #[test]
    fn a_test_without_a_kit_runs_under_virtual_time() {
        let text = expanded("", "#[should_panic] async fn fails() {}");

        assert!(text.contains("should_panic") && text.contains("private :: run"), "{text}");
        assert!(!text.contains("TestKit"), "{text}");
    }

    #[test]
    fn a_test_with_a_kit_builds_it_from_the_arguments() {
        let text = expanded(
            "jobs = [send, m::note], services = app::services(), seed = 7",
            "async fn sends(kit: &TestKit) {}",
        );

        for part in ["jobs ! [send , m :: note]", ". services (app :: services ())", ". seed (7)", "sends (&"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    /// Each mistake is reported at its span, and none hides another.
    #[test]
    fn each_mistake_in_a_test_is_reported() {
        for (arguments, item, says) in [
            ("", "fn plain() {}", "must be an `async fn`"),
            ("", "async fn with(kit: TestKit) {}", "needs its jobs"),
            ("jobs = [send]", "async fn without() {}", "no kit to run them"),
            ("jobs = [send]", "async fn more(kit: TestKit, n: u32) {}", "takes only a `TestKit`"),
            ("job = [send]", "async fn misspelt() {}", "did you mean `jobs`?"),
            ("jobs = send", "async fn no_list(kit: TestKit) {}", "expected"),
        ] {
            let text = expanded(arguments, item);
            assert!(text.contains("compile_error") && text.contains(says), "{says} in {text}");
        }
    }
}
