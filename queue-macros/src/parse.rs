//! Parses tokens to the model.

mod attribute;
mod backoff;
mod duration;
mod entries;
mod function;
mod inject;
mod literal;
mod name;
mod recurrence;
mod template;
mod unique;

pub(crate) use attribute::attribute;
#[cfg(feature = "explore")]
pub(crate) use entries::entries;
pub(crate) use function::function;
pub(crate) use inject::inject;
pub(crate) use name::check as check_name;
