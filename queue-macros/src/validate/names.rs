//! Checks the names under which the job is stored.

use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use crate::diagnostics::Diagnostics;
use crate::model::{Attribute, Function};
use crate::parse::check_name;

/// Checks that the function's name can be the job's name if no other name is set, and that no alias repeats the name.
pub(super) fn check(attribute: &Attribute, function: &Function, diagnostics: &mut Diagnostics) {
    let ident = &function.signature.ident;
    let name = match &attribute.name {
        Some(name) => name.value(),
        None => ident.unraw().to_string(),
    };
    if attribute.name.is_none() && check_name("a job's name", &name, ident.span()).is_err() {
        let message = r#"this can't be the name of a stored job: set a name of `A-Z a-z 0-9 _ . : -` with `name = "…"`"#;
        diagnostics.error(ident, message);
    }
    for alias in attribute.aliases.iter().filter(|alias| alias.value() == name) {
        let message = format!("`{name}` is the job's name already: an alias is a former name, so remove it");
        diagnostics.error_at(alias.to_token_stream().span(), message);
    }
}
