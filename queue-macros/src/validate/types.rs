//! Finds the relevant parts of a type.

use syn::visit::{self, Visit};
use syn::{
    AngleBracketedGenericArguments, GenericArgument, GenericParam, Generics, Ident, Lifetime, LifetimeParam,
    PathArguments, Type, TypeImplTrait, TypeInfer, TypeReference,
};

/// The relevant parts of a type, at any depth.
#[derive(Default)]
pub(super) struct TypeFacts<'a> {
    /// The first `impl Trait`.
    pub(super) opaque: Option<&'a TypeImplTrait>,
    /// The first reference that isn't `'static`.
    pub(super) reference: Option<&'a TypeReference>,
    /// The first `'_`.
    pub(super) elided: Option<&'a Lifetime>,
    /// Identifiers in paths, to be compared with generic parameters.
    words: Vec<&'a Ident>,
    lifetimes: Vec<&'a Lifetime>,
    /// Lifetimes that the type declares itself: `for<'a>`.
    own: Vec<&'a Lifetime>,
    is_inferred: bool,
}

impl<'a> TypeFacts<'a> {
    pub(super) fn of(ty: &'a Type) -> Self {
        let mut facts = Self::default();
        facts.visit_type(ty);
        facts
    }

    /// Returns whether the type can't be used outside of the function. The cause is reported elsewhere.
    pub(super) fn is_bound_to(&self, generics: &Generics) -> bool {
        let generic = |word: &Ident| {
            generics.params.iter().any(|parameter| match parameter {
                GenericParam::Type(ty) => ty.ident == *word,
                GenericParam::Const(constant) => constant.ident == *word,
                GenericParam::Lifetime(_) => false,
            })
        };
        let foreign = self.lifetimes.iter().any(|lifetime| !self.own.contains(lifetime));
        self.is_inferred || foreign || self.words.iter().any(|word| generic(word))
    }
}

impl<'a> Visit<'a> for TypeFacts<'a> {
    fn visit_type_impl_trait(&mut self, opaque: &'a TypeImplTrait) {
        self.opaque.get_or_insert(opaque);
    }

    fn visit_type_reference(&mut self, reference: &'a TypeReference) {
        if !is_static(reference) {
            self.reference.get_or_insert(reference);
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'a Lifetime) {
        if lifetime.ident == "_" {
            self.elided.get_or_insert(lifetime);
        } else if lifetime.ident != "static" {
            self.lifetimes.push(lifetime);
        }
    }

    fn visit_lifetime_param(&mut self, parameter: &'a LifetimeParam) {
        self.own.push(&parameter.lifetime);
    }

    fn visit_type_infer(&mut self, _: &'a TypeInfer) {
        self.is_inferred = true;
    }

    fn visit_ident(&mut self, word: &'a Ident) {
        self.words.push(word);
    }
}

/// Returns whether the reference is written `&'static T`.
pub(super) fn is_static(reference: &TypeReference) -> bool {
    let lifetime = reference.lifetime.as_ref();
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}

/// Removes parentheses and invisible groups.
pub(super) fn peeled(ty: &Type) -> &Type {
    match ty {
        Type::Paren(paren) => peeled(&paren.elem),
        Type::Group(group) => peeled(&group.elem),
        _ => ty,
    }
}

/// Returns whether the type is an `Option`, by any path.
pub(super) fn is_option(ty: &Type) -> bool {
    option_arguments(ty).is_some()
}

/// Returns the `&T` of an `Option<&T>`.
pub(super) fn optional_reference(ty: &Type) -> Option<&TypeReference> {
    let arguments = option_arguments(ty)?;
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => match peeled(inner) {
            Type::Reference(reference) => Some(reference),
            _ => None,
        },
        _ => None,
    }
}

fn option_arguments(ty: &Type) -> Option<&AngleBracketedGenericArguments> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn a_type_that_names_a_generic_parameter_is_bound_to_the_function() {
        let generics: Generics = parse_quote!(<'a, T, const N: usize>);

        for (ty, bound) in [
            (parse_quote!(Vec<T>), true),
            (parse_quote!([u8; N]), true),
            (parse_quote!(Cow<'a, str>), true),
            (parse_quote!(Cow<'static, str>), false),
            (parse_quote!(Vec<u8>), false),
            (parse_quote!(Arc<dyn for<'b> Fn(&'b str)>), false),
        ] {
            let ty: Type = ty;
            assert_eq!(TypeFacts::of(&ty).is_bound_to(&generics), bound);
        }
    }

    #[test]
    fn an_option_of_a_reference_is_found_by_any_path() {
        let optional: Type = parse_quote!(::core::option::Option<&str>);
        let owned: Type = parse_quote!(Option<String>);

        assert!(optional_reference(&optional).is_some());
        assert!(optional_reference(&owned).is_none());
    }
}
