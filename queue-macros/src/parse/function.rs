//! Parses the annotated item.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Signature, Token, Visibility};

use crate::model::Function;

/// Parses the function up to its body, which stays as it is.
pub(crate) fn function(tokens: TokenStream) -> syn::Result<Function> {
    let parser = |input: ParseStream<'_>| {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility: Visibility = input.parse()?;
        if !starts_function(input) {
            return Err(
                input.error("`#[background_job]` turns a function into a job: write it on an `async fn`")
            );
        }
        let signature: Signature = input.parse()?;
        Ok(Function { attributes, visibility, signature, body: input.parse()? })
    };
    parser.parse2(tokens)
}

fn starts_function(input: ParseStream<'_>) -> bool {
    // `unsafe` and `const` may start other items too; parsing the signature then fails.
    input.peek(Token![fn])
        || input.peek(Token![async])
        || input.peek(Token![unsafe])
        || input.peek(Token![extern])
        || (input.peek(Token![const]) && !input.peek3(Token![:]))
}
