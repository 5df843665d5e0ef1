//! Finds numbers that JSON cannot represent: NaN and the infinities.
//!
//! `serde_json` writes `null` for them, which is read back as another value or fails to be read.

use std::fmt;

use serde::ser::{self, Serialize};

/// Returns the path of the first number that is not finite, or `None` if all numbers are finite.
///
/// The path has field names, variant names and indexes of sequences. Keys of maps are data, so each is written as `*`.
/// If serializing the value fails for another reason, this function returns `None`.
///
/// It writes no output, so for a payload without floats the compiler removes the whole call.
pub(crate) fn not_finite<T: Serialize>(value: &T) -> Option<String> {
    match value.serialize(Finite) {
        Ok(()) | Err(Found(None)) => None,
        Err(Found(Some(path))) => Some(written(&path)),
    }
}

/// Formats a path whose steps are stored from the inside out.
fn written(path: &[PathStep]) -> String {
    let mut text = String::new();
    for step in path.iter().rev() {
        match step {
            PathStep::Index(index) => text.push_str(&format!("[{index}]")),
            PathStep::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
        }
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

enum PathStep {
    Name(&'static str),
    Index(usize),
}

/// Why the walk ended early: with a path at a number that is not finite, without one at an error of the type itself.
struct Found(Option<Vec<PathStep>>);

impl Found {
    #[cold]
    fn number() -> Self {
        Self(Some(Vec::new()))
    }

    #[cold]
    fn within(mut self, step: PathStep) -> Self {
        if let Some(path) = &mut self.0 {
            path.push(step);
        }
        self
    }
}

impl ser::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number is not finite")
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Found {}

/// A serializer that produces no output.
struct Finite;

/// Walks through a compound value.
struct Walk {
    /// The index of the next part.
    index: usize,
    /// The variant that the parts belong to, if any.
    variant: Option<&'static str>,
}

impl Walk {
    const fn new(variant: Option<&'static str>) -> Self {
        Self { index: 0, variant }
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T, name: Option<&'static str>) -> Result<(), Found> {
        let step = name.map_or(PathStep::Index(self.index), PathStep::Name);
        self.index += 1;
        value.serialize(Finite).map_err(|found| self.within_variant(found.within(step)))
    }

    fn within_variant(&self, found: Found) -> Found {
        match self.variant {
            Some(variant) => found.within(PathStep::Name(variant)),
            None => found,
        }
    }
}

macro_rules! ignored {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(
            #[inline]
            fn $method(self, _: $type) -> Result<(), Found> {
                Ok(())
            }
        )*
    };
}

impl ser::Serializer for Finite {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = Walk;
    type SerializeTuple = Walk;
    type SerializeTupleStruct = Walk;
    type SerializeTupleVariant = Walk;
    type SerializeMap = Walk;
    type SerializeStruct = Walk;
    type SerializeStructVariant = Walk;

    ignored! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_unit_struct: &'static str,
    }

    #[inline]
    fn serialize_f32(self, number: f32) -> Result<(), Found> {
        if number.is_finite() { Ok(()) } else { Err(Found::number()) }
    }

    #[inline]
    fn serialize_f64(self, number: f64) -> Result<(), Found> {
        if number.is_finite() { Ok(()) } else { Err(Found::number()) }
    }

    fn serialize_none(self) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        value.serialize(self).map_err(|found| found.within(PathStep::Name(variant)))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Walk, Found> {
        Ok(Walk::new(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Walk, Found> {
        Ok(Walk::new(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Walk, Found> {
        Ok(Walk::new(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Walk, Found> {
        Ok(Walk::new(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Walk, Found> {
        Ok(Walk::new(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Walk, Found> {
        Ok(Walk::new(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Walk, Found> {
        Ok(Walk::new(Some(variant)))
    }

    /// A text contains no numbers, so it is not formatted.
    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Found> {
        Ok(())
    }
}

macro_rules! sequence {
    ($($walk:ident $method:ident),*) => {
        $(impl ser::$walk for Walk {
            type Ok = ();
            type Error = Found;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
                self.part(value, None)
            }

            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
}

sequence! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($walk:ident),*) => {
        $(impl ser::$walk for Walk {
            type Ok = ();
            type Error = Found;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Found> {
                self.part(value, Some(name))
            }

            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Walk {
    type Ok = ();
    type Error = Found;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Found> {
        self.part(key, Some("*"))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
        self.part(value, Some("*"))
    }

    fn end(self) -> Result<(), Found> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    struct Order {
        id: u64,
        prices: Vec<Price>,
        rates: BTreeMap<String, Option<f32>>,
        shape: Shape,
    }

    #[derive(Serialize)]
    struct Price(f64, Option<f64>);

    #[derive(Serialize)]
    enum Shape {
        Dot,
        Circle(f64),
        Square { side: f64 },
        Box(f64, f64),
    }

    fn order() -> Order {
        Order { id: 1, prices: vec![Price(1.0, None)], rates: BTreeMap::new(), shape: Shape::Dot }
    }

    #[test]
    fn the_path_of_a_non_finite_number_has_no_key_of_a_map() {
        let secret = BTreeMap::from([("jane@example.com".to_owned(), Some(f32::NEG_INFINITY))]);
        let table = [
            (order(), None),
            (
                Order { prices: vec![Price(1.0, None), Price(f64::NAN, None)], ..order() },
                Some("prices[1][0]"),
            ),
            (Order { prices: vec![Price(1.0, Some(f64::INFINITY))], ..order() }, Some("prices[0][1]")),
            (Order { rates: secret, ..order() }, Some("rates.*")),
            (Order { shape: Shape::Circle(f64::NAN), ..order() }, Some("shape.Circle")),
            (Order { shape: Shape::Square { side: f64::NAN }, ..order() }, Some("shape.Square.side")),
            (Order { shape: Shape::Box(0.0, f64::NAN), ..order() }, Some("shape.Box[1]")),
            (Order { shape: Shape::Box(f64::MAX, f64::MIN_POSITIVE), ..order() }, None),
        ];

        for (order, path) in table {
            assert_eq!(not_finite(&order).as_deref(), path);
        }
        assert_eq!(not_finite(&f64::NAN).as_deref(), Some("."));
    }
}
