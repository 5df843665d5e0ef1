//! `#[queue_testkit::test]`: a test under virtual time, with a kit if the test takes one, or in real time, with a database.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, ExprArray, FnArg, Ident, ItemFn, Token, Type};

use crate::diagnostics::Diagnostics;
use crate::parse::entries;

const KNOWN: [&str; 6] = ["jobs", "services", "seed", "postgres", "sqlite", "setup"];

/// The arguments of the attribute.
#[derive(Default)]
struct Arguments {
    jobs: Option<ExprArray>,
    services: Option<Expr>,
    seed: Option<Expr>,
    /// The backends, each with its name at its span.
    databases: Vec<Ident>,
    setup: Option<Expr>,
}

/// Returns the type of a backend's database.
fn database_type(backend: &Ident) -> &'static str {
    if backend == "postgres" { "TestPostgres" } else { "TestSqlite" }
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
            if key == "postgres" || key == "sqlite" {
                arguments.databases.push(key.clone());
                return Ok(());
            }
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "jobs" => arguments.jobs = Some(input.parse()?),
                "services" => arguments.services = Some(input.parse()?),
                "seed" => arguments.seed = Some(input.parse()?),
                _ => arguments.setup = Some(input.parse()?),
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
    let takes = arguments.databases.first().map_or("TestKit", database_type);
    let mut inputs = signature.inputs.iter();
    let first = inputs.next();
    if let Some(FnArg::Receiver(this)) = first {
        diagnostics.error(this, format!("a test takes only a `{takes}`"));
    }
    match arguments.databases.first() {
        Some(backend) => check_database(arguments, backend, first.is_some(), diagnostics),
        None => check_kit(arguments, first, diagnostics),
    }
    for more in inputs {
        diagnostics.error(more, format!("a test takes only a `{takes}`: remove this"));
    }
}

fn check_kit(arguments: &Arguments, parameter: Option<&FnArg>, diagnostics: &mut Diagnostics) {
    match (parameter, &arguments.jobs) {
        (Some(FnArg::Typed(kit)), None) => {
            diagnostics.error(kit, "a test that takes a kit needs its jobs: write `jobs = [send_welcome]`");
        }
        (None, Some(jobs)) => {
            diagnostics
                .error(jobs, "this test has jobs but no kit to run them: add the parameter `kit: TestKit`");
        }
        _ => {}
    }
    if let Some(setup) = &arguments.setup {
        diagnostics
            .error(setup, "`setup` prepares a database, and this test has none: add `postgres` or `sqlite`");
    }
}

fn check_database(arguments: &Arguments, backend: &Ident, is_taken: bool, diagnostics: &mut Diagnostics) {
    for other in arguments.databases.iter().skip(1) {
        diagnostics
            .error(other, format!("a test has one database: remove `{other}`, and write another test"));
    }
    if !is_taken {
        let parameter = format!("db: {}", database_type(backend));
        let message =
            format!("this test has a database but doesn't take it: add the parameter `{parameter}`");
        diagnostics.error(backend, message);
    }
    let jobs = arguments.jobs.as_ref().map(quote::ToTokens::to_token_stream);
    let others = [&arguments.services, &arguments.seed].into_iter().flatten();
    for argument in jobs.into_iter().chain(others.map(quote::ToTokens::to_token_stream)) {
        let kit = "`TestKit::over(db.queue().clone()).jobs(jobs![..])`";
        let message =
            format!("a test with a database builds its kit itself: remove this, and write {kit} in the test");
        diagnostics.error(argument, message);
    }
}

fn expand(arguments: &Arguments, mut function: ItemFn) -> TokenStream {
    let attributes = std::mem::take(&mut function.attrs);
    let visibility = std::mem::replace(&mut function.vis, syn::Visibility::Inherited);
    let (name, output) = (&function.sig.ident, &function.sig.output);
    let parameter = function.sig.inputs.first();
    let is_borrowed = parameter
        .is_some_and(|input| matches!(input, FnArg::Typed(input) if matches!(*input.ty, Type::Reference(_))));
    let borrow = is_borrowed.then(|| quote!(&));
    let run = match arguments.databases.first() {
        Some(backend) => {
            let run = format_ident!("__run_with_{backend}");
            let no_setup = quote!(::queue_testkit::private::no_setup);
            let setup = arguments.setup.as_ref().map_or(no_setup, |setup| quote!(#setup));
            quote!(::queue_testkit::#run!(#setup, async |database| #name(#borrow database).await))
        }
        None => {
            let kit = parameter.map(|_| kit(arguments));
            quote!(::queue_testkit::private::run(async { #name(#borrow #kit).await }))
        }
    };
    quote! {
        #(#attributes)*
        #[::core::prelude::v1::test]
        #visibility fn #name() #output {
            #function
            #run
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

    #[test]
    fn a_test_with_a_database_runs_in_real_time() {
        let text = expanded("postgres, setup = app::migrate", "async fn books(db: &TestPostgres) {}");

        for part in ["__run_with_postgres ! (app :: migrate ,", "| database | books (& database)"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let text = expanded("sqlite", "async fn books(db: TestSqlite) {}");
        for part in ["__run_with_sqlite ! (:: queue_testkit :: private :: no_setup ,", "books (database)"] {
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
            ("postgres", "async fn without() {}", "add the parameter `db: TestPostgres`"),
            ("postgres", "fn plain(db: TestPostgres) {}", "must be an `async fn`"),
            ("sqlite", "async fn more(db: TestSqlite, n: u32) {}", "takes only a `TestSqlite`"),
            ("sqlite, postgres", "async fn two(db: TestSqlite) {}", "a test has one database"),
            ("setup = migrate", "async fn none() {}", "add `postgres` or `sqlite`"),
            ("postgres, jobs = [send]", "async fn kit(db: TestPostgres) {}", "builds its kit itself"),
            ("postgre", "async fn misspelt(db: TestPostgres) {}", "did you mean `postgres`?"),
            ("mysql", "async fn other(db: TestPostgres) {}", "known attributes"),
            ("jobs = send", "async fn no_list(kit: TestKit) {}", "expected"),
        ] {
            let text = expanded(arguments, item);
            assert!(text.contains("compile_error") && text.contains(says), "{says} in {text}");
        }
    }
}
