//! What stands in the parentheses of `#[background_job(…)]`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
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
        self.private_at(Span::mixed_site())
    }

    /// Gives that path for code whose errors are shown at `span`; one token from elsewhere would move them there.
    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        let Some(krate) = &self.krate else {
            return quote_spanned!(span=> ::queue_core::private);
        };
        // The names keep the place that they are looked up from: `$crate` of a macro means that macro's crate.
        let krate = krate.to_token_stream().into_iter().map(|mut token| {
            token.set_span(span.resolved_at(token.span()));
            token
        });
        let krate: TokenStream = krate.collect();
        quote_spanned!(span=> #krate::private)
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
    Format {
        text: LitStr,
        names: Vec<String>,
    },
}
