//! The arguments of `#[background_job(…)]`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::{LitStr, Path};

use super::recurrence::RecurrenceArguments;

/// The arguments of the attribute; the framework's defaults apply to missing ones.
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
    /// The part of its queue to which the job belongs.
    pub(crate) partition: Option<Template>,
    /// When a schedule enqueues the job.
    pub(crate) recurrence: RecurrenceArguments,
    /// The job that is stored on a discard.
    pub(crate) on_discard: Option<Path>,
    /// The span of `blocking`.
    pub(crate) blocking: Option<Span>,
    pub(crate) krate: Option<Path>,
}

impl Attribute {
    /// Returns the format strings that name fields.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        let key = self.unique.as_ref().and_then(|unique| match &unique.key {
            UniqueKey::Template(template) => Some(template),
            UniqueKey::Payload => None,
        });
        key.into_iter().chain(&self.partition)
    }

    /// Returns the path of the private module that generated code uses.
    pub(crate) fn private(&self) -> TokenStream {
        self.private_at(Span::mixed_site())
    }

    /// Returns the same path for code whose errors are shown at `span`. A single token with another span would move them there.
    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        let Some(krate) = &self.krate else {
            return quote_spanned!(span=> ::queue_core::private);
        };
        // The names keep the place where they are resolved: `$crate` of a macro means that macro's crate.
        let krate = krate.to_token_stream().into_iter().map(|mut token| {
            token.set_span(span.resolved_at(token.span()));
            token
        });
        let krate: TokenStream = krate.collect();
        quote_spanned!(span=> #krate::private)
    }
}

/// The wait before a retry.
pub(crate) enum Backoff {
    Fixed(Duration),
    Exponential { first: Duration, max: Duration },
    Custom(Path),
}

/// The settings of a unique job.
pub(crate) struct Unique {
    pub(crate) key: UniqueKey,
    pub(crate) within: Option<Duration>,
    pub(crate) replace: bool,
}

/// The key by which two jobs are compared.
pub(crate) enum UniqueKey {
    Payload,
    Template(Template),
}

/// A format string that names fields, and the names in it without duplicates.
pub(crate) struct Template {
    pub(crate) text: LitStr,
    pub(crate) names: Vec<String>,
}
