//! What stands in the parentheses of `#[background_job(…)]`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{LitStr, Path};

/// What the attribute says; what it doesn't say is left to the framework's defaults.
#[derive(Default)]
pub(crate) struct Attribute {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) priority: Option<i32>,
    pub(crate) unique: Option<Unique>,
    /// Where `blocking` stands.
    pub(crate) blocking: Option<Span>,
    pub(crate) krate: Option<Path>,
}

impl Attribute {
    /// Gives the path to what generated code uses.
    pub(crate) fn private(&self) -> TokenStream {
        match &self.krate {
            Some(krate) => quote!(#krate::private),
            None => quote!(::queue_core::private),
        }
    }
}

/// How long to wait before a retry.
pub(crate) enum Backoff {
    Fixed(Duration),
    Exponential { first: Duration, max: Duration },
    Custom(Path),
}

/// What keeps a second job out.
pub(crate) struct Unique {
    pub(crate) key: UniqueKey,
    pub(crate) within: Option<Duration>,
    pub(crate) replace: bool,
}

/// What two jobs are compared by.
pub(crate) enum UniqueKey {
    Payload,
    /// A format string, and the names in it, each once.
    Format { text: LitStr, names: Vec<String> },
}
