//! Explains why a value could not be read from JSON text, without showing any value of the text.
//!
//! Serde's messages quote values: `unknown variant `4111-…``, `invalid type: string "jane@example.com"`. So this module reads a
//! text that failed once more, with an error type that keeps the kind of mismatch and the expected kind, and drops the value.
//! Keys of maps are data, too: the path has only names of fields that the type declares.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer as _,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_json::error::Category;
use serde_json::{Map, Value};

/// Reads a value from JSON text. The error has the position and the reason, and no value.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| explained::<T>(text, &error))
}

/// Describes invalid JSON text, or a failure to write JSON, without showing any value.
pub(crate) fn flaw(error: &serde_json::Error) -> String {
    match error.classify() {
        // `serde_json` has fixed messages for these.
        Category::Syntax | Category::Eof | Category::Io => error.to_string(),
        Category::Data => "a check of its type failed".to_owned(),
    }
}

#[cold]
fn explained<T: DeserializeOwned>(text: &str, error: &serde_json::Error) -> String {
    if error.classify() != Category::Data {
        return flaw(error);
    }
    let position = format!("at line {} column {}", error.line(), error.column());
    let value = serde_json::from_str::<Value>(text);
    match value.map(|value| T::deserialize(Node(&value))) {
        Ok(Err(mismatch)) => format!("{mismatch} {position}"),
        // Some mistakes, such as a duplicate field, are lost in the conversion to a tree.
        Ok(Ok(_)) | Err(_) => format!("{CUSTOM} {position}"),
    }
}

/// The message for a custom error of the type, whose own message may contain values.
const CUSTOM: &str = "a check of the type failed";

/// The reason and the path of a value that does not match its type.
struct Mismatch {
    /// The steps of the path, from the inside out.
    path: Vec<String>,
    message: String,
}

impl Mismatch {
    fn new(message: String) -> Self {
        Self { path: Vec::new(), message }
    }

    fn within(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.path.iter().rev().enumerate() {
            let dot = if index == 0 || step.starts_with('[') { "" } else { "." };
            write!(f, "{dot}{step}")?;
        }
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.message)
    }
}

impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(CUSTOM.to_owned())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("invalid type: {}, expected {expected}", kind(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("invalid value: {}, expected {expected}", kind(found)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("invalid length {length}, expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown variant, {}", one_of(expected)))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown field, {}", one_of(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("missing field `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("duplicate field `{field}`"))
    }
}

/// Names the kind of a value.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "floating point number",
        Unexpected::Char(_) => "character",
        Unexpected::Str(_) => "string",
        Unexpected::Bytes(_) => "byte array",
        Unexpected::Unit => "null",
        Unexpected::Option => "option",
        Unexpected::NewtypeStruct => "newtype struct",
        Unexpected::Seq => "sequence",
        Unexpected::Map => "map",
        Unexpected::Enum => "enum",
        Unexpected::UnitVariant => "unit variant",
        Unexpected::NewtypeVariant => "newtype variant",
        Unexpected::TupleVariant => "tuple variant",
        Unexpected::StructVariant => "struct variant",
        Unexpected::Other(_) => "something else",
    }
}

fn one_of(expected: &[&str]) -> String {
    if expected.is_empty() {
        "none is known".to_owned()
    } else {
        format!("expected one of `{}`", expected.join("`, `"))
    }
}

/// A JSON value, as a deserializer whose errors are [`Mismatch`].
struct Node<'a>(&'a Value);

/// The name under which `serde_json` deserializes a [`RawValue`](serde_json::value::RawValue).
const RAW: &str = "$serde_json::private::RawValue";

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(it) => visitor.visit_bool(*it),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(it), _, _) => visitor.visit_u64(it),
                (_, Some(it), _) => visitor.visit_i64(it),
                (_, _, it) => visitor.visit_f64(it.unwrap_or_default()),
            },
            Value::String(it) => visitor.visit_borrowed_str(it),
            Value::Array(parts) => visitor.visit_seq(Elements { parts: parts.iter(), index: 0 }),
            Value::Object(object) => visitor.visit_map(Fields::of(object, &[])),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if name == RAW {
            return visitor.visit_map(MapDeserializer::new(std::iter::once((RAW, self.0.to_string()))));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Object(object) => visitor.visit_map(Fields::of(object, fields)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Variant { name, variants, content: None }),
            Value::Object(object) => match object.iter().next() {
                Some((name, content)) if object.len() == 1 => {
                    visitor.visit_enum(Variant { name, variants, content: Some(content) })
                }
                _ => Err(de::Error::invalid_value(Unexpected::Map, &"map with a single key")),
            },
            _ => Err(Mismatch::new("invalid type, expected string or map".to_owned())),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Elements<'a> {
    parts: std::slice::Iter<'a, Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some(part) = self.parts.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Node(part)).map(Some).map_err(|mismatch| mismatch.within(format!("[{index}]")))
    }
}

struct Fields<'a> {
    entries: serde_json::map::Iter<'a>,
    /// The fields that the type declares. The path shows no other key.
    declared: &'static [&'static str],
    current: Option<(&'a str, &'a Value)>,
}

impl<'a> Fields<'a> {
    fn of(object: &'a Map<String, Value>, declared: &'static [&'static str]) -> Self {
        Self { entries: object.iter(), declared, current: None }
    }

    fn step(&self, key: &str) -> String {
        if self.declared.contains(&key) { key.to_owned() } else { "*".to_owned() }
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Mismatch;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.current = Some((key, value));
        seed.deserialize(MapKey(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let Some((key, value)) = self.current.take() else {
            return Err(Mismatch::new("a value was asked for before its key".to_owned()));
        };
        seed.deserialize(Node(value)).map_err(|mismatch| mismatch.within(self.step(key)))
    }
}

/// A key of a map, which is parsed as a number if the type asks for one.
struct MapKey<'a>(&'a str);

macro_rules! keys {
    ($($method:ident $visit:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.0.parse() {
                Ok(it) => visitor.$visit(it),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for MapKey<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_str(self.0)
    }

    keys! {
        deserialize_bool visit_bool,
        deserialize_i8 visit_i64, deserialize_i16 visit_i64, deserialize_i32 visit_i64, deserialize_i64 visit_i64,
        deserialize_u8 visit_u64, deserialize_u16 visit_u64, deserialize_u32 visit_u64, deserialize_u64 visit_u64,
        deserialize_i128 visit_i128, deserialize_u128 visit_u128, deserialize_f32 visit_f64, deserialize_f64 visit_f64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_enum(Variant { name: self.0, variants, content: None })
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Variant<'a> {
    name: &'a str,
    variants: &'static [&'static str],
    content: Option<&'a Value>,
}

impl<'a> Variant<'a> {
    fn content(&self) -> Node<'a> {
        Node(self.content.unwrap_or(&Value::Null))
    }

    /// Adds the variant's name to the path, if the type declares it.
    fn named<T>(&self, read: Result<T, Mismatch>) -> Result<T, Mismatch> {
        let name = if self.variants.contains(&self.name) { self.name } else { "*" };
        read.map_err(|mismatch| mismatch.within(name.to_owned()))
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        Ok((seed.deserialize(self.name.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        self.named(de::Deserialize::deserialize(self.content()))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        self.named(seed.deserialize(self.content()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.named(self.content().deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.named(self.content().deserialize_struct("", fields, visitor))
    }
}
