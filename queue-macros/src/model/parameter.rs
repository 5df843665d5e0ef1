//! The parameters of the function.

use syn::{Attribute, Ident, LitStr, PathArguments, Type};

/// One parameter of the function.
#[derive(Clone)]
pub(crate) enum Parameter {
    Field(Field),
    Service(Service),
}

/// An unusable parameter, which was reported already; only its kind is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Invalid {
    Field,
    Service,
}

/// A parameter that is stored in the payload.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) name: Ident,
    /// Attributes of serde, and doc comments.
    pub(crate) attributes: Vec<Attribute>,
    /// The type as written.
    pub(crate) ty: Type,
    pub(crate) storage: Storage,
    pub(crate) serde_mode: SerdeMode,
}

impl Field {
    /// Returns whether the parameter has a doc comment of its own.
    pub(crate) fn is_documented(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.path().is_ident("doc"))
    }

    /// Returns whether `new` takes the field as `impl Into<…>`: a `String`, or a parameter that the function borrows.
    pub(crate) fn is_converted(&self) -> bool {
        match self.storage {
            Storage::Value => is_string(&self.ty),
            Storage::Owned(_) | Storage::Optional(_) | Storage::OptionalDeref(_) => true,
        }
    }
}

/// Returns whether a type is a `String`, by any path.
fn is_string(ty: &Type) -> bool {
    match ty {
        Type::Paren(paren) => is_string(&paren.elem),
        Type::Group(group) => is_string(&group.elem),
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "String" && matches!(last.arguments, PathArguments::None)),
        _ => false,
    }
}

/// How a payload parameter is stored and passed to the function.
#[derive(Clone)]
pub(crate) enum Storage {
    /// Stored as it is, and cloned for each attempt.
    Value,
    /// Stored owned, and passed as `&self.x`.
    Owned(Type),
    /// An `Option` of the owned value, passed by `as_ref`.
    Optional(Type),
    /// An `Option` of the owned value, passed by `as_deref`.
    OptionalDeref(Type),
}

/// How serde writes and reads a field.
#[derive(Clone, Copy)]
pub(crate) enum SerdeMode {
    /// As its type does.
    Plain,
    /// As its type does. The type is an `Option`, so the field may be missing.
    PlainOption,
    /// As its serde attributes say.
    Custom,
}

/// A parameter that is taken from the scope.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) name: Ident,
    /// The type as written.
    pub(crate) ty: Type,
    pub(crate) kind: InjectKind,
    pub(crate) key: Option<LitStr>,
}

/// How a service is passed to the function.
#[derive(Clone)]
pub(crate) enum InjectKind {
    /// `&T`, from an `Arc<T>`.
    Shared(Type),
    /// `Option<&T>`, from an `Option<Arc<T>>`.
    Optional(Type),
    /// `&mut T`, from an `Exclusive<T>`.
    Exclusive(Type),
    /// The value itself.
    Value,
}
