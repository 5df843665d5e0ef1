//! Tests that no text of the framework about a payload or meta shows a value of it.

use std::collections::BTreeMap;
use std::error::Error as _;

use queue_core::{Body, JobRecord, Meta, NewJob, Queue as _, QueueError, State, background_job, jobs};
use queue_testkit::TestKit;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Customer {
    pub(crate) email: Email,
    pub(crate) card: Card,
    pub(crate) limits: BTreeMap<i64, u8>,
    pub(crate) flags: BTreeMap<Flag, bool>,
    pub(crate) tuple: (u16, Option<i8>, char),
    pub(crate) tagged: Tagged,
    pub(crate) either: Either,
    pub(crate) more: More,
    pub(crate) nothing: (),
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Email(String);

impl TryFrom<String> for Email {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("ok") { Ok(Self(text)) } else { Err(format!("`{text}` is no address")) }
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) enum Card {
    None,
    Number(u32),
    Both(u8, u8),
    Full { owner: bool, year: u16 },
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flag {
    Vip,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(tag = "kind")]
pub(crate) enum Tagged {
    Person { age: u8 },
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(untagged)]
pub(crate) enum Either {
    Number(u8),
    Flag(bool),
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct More {
    pub(crate) known: u8,
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, u8>,
}

#[background_job]
async fn bill(customer: Customer) {
    drop(customer);
}

/// Returns valid payloads, so that each change of them is the only mistake.
fn right() -> Vec<Value> {
    let cards = [
        json!("None"),
        json!({"Number": 1}),
        json!({"Both": [1, 2]}),
        json!({"Full": {"owner": true, "year": 1}}),
    ];
    cards
        .into_iter()
        .map(|card| {
            json!({"customer": {
                "email": "ok@ok", "card": card, "limits": {"1": 1}, "flags": {"Vip": true}, "tuple": [1, null, "x"],
                "tagged": {"kind": "Person", "age": 1}, "either": 1, "more": {"known": 1, "other": 1}, "nothing": null,
            }})
        })
        .collect()
}

/// Returns every value that differs from this one at one position, which has the secret: as a value, and as a key.
fn spoilt(value: &Value, secret: &Value) -> Vec<Value> {
    let mut all = vec![secret.clone(), json!([secret]), json!({"a": secret})];
    let key = secret.as_str().map_or_else(|| secret.to_string(), str::to_owned);
    match value {
        Value::Object(object) => {
            for (name, part) in object {
                let with = |name: &str, part: Value| {
                    let mut object = object.clone();
                    object.insert(name.to_owned(), part);
                    Value::Object(object)
                };
                all.extend(spoilt(part, secret).into_iter().map(|part| with(name, part)));
                all.push(with(&key, part.clone()));
                let mut renamed = object.clone();
                renamed.remove(name);
                renamed.insert(key.clone(), part.clone());
                all.push(Value::Object(renamed));
            }
        }
        Value::Array(parts) => {
            for (place, part) in parts.iter().enumerate() {
                all.extend(spoilt(part, secret).into_iter().map(|part| {
                    let mut parts = parts.clone();
                    parts[place] = part;
                    Value::Array(parts)
                }));
            }
        }
        _ => {}
    }
    all
}

/// Returns the text of an error and of its causes, in all forms in which it may be printed.
fn said(error: &QueueError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    text
}

/// H67: no error shows a value or a key of the payload, whichever of them has the wrong type.
#[test]
fn no_decoding_error_shows_a_value_or_a_key() -> TestResult {
    let secrets = [
        json!("4111-1111-1111-1111"),
        json!(4_111_111_111_111_111_u64),
        json!(-4_111_111_111_111_i64),
        json!(4.111e77),
    ];
    let mut refused = 0;
    for right in right() {
        assert!(Body::json(right.to_string())?.decode::<bill>().is_ok(), "{right}");
        for secret in &secrets {
            for spoilt in spoilt(&right, secret) {
                let Err(error) = Body::json(spoilt.to_string())?.decode::<bill>() else { continue };
                refused += 1;
                let text = format!("{error} {error:?}");
                assert!(!text.contains("4111") && !text.contains("4.111"), "{text} of {spoilt}");
                assert!(!text.contains("111111"), "{text} of {spoilt}");
            }
        }
    }
    assert!(refused > 800, "only {refused} payloads were refused");
    Ok(())
}

/// H67: the error still has the path, the kind of the value, and the expected kind.
#[test]
fn a_decoding_error_has_the_path_and_the_kinds() -> TestResult {
    let table = [
        ("/customer/limits/1", json!("4111"), "customer.limits.*: invalid type: string, expected u8"),
        ("/customer/tuple/0", json!(70_000), "customer.tuple[0]: invalid value: integer, expected u16"),
        (
            "/customer/card",
            json!("Visa"),
            "customer.card: unknown variant, expected one of `None`, `Number`, `Both`, `Full`",
        ),
        (
            "/customer/card",
            json!({"Full": {"owner": 1, "year": 1}}),
            "customer.card.Full.owner: invalid type: integer, expected a boolean",
        ),
        ("/customer/email", json!("jane@example.com"), "customer.email: a check of the type failed"),
        ("/customer/more", json!({}), "customer.more: missing field `known`"),
        ("/customer", json!({"ssn": 1}), "customer: unknown field, expected one of `email`, "),
    ];
    for (place, value, expected) in table {
        let mut payload = right().remove(0);
        *payload.pointer_mut(place).unwrap() = value;

        let error = Body::json(payload.to_string())?.decode::<bill>().unwrap_err().to_string();

        assert!(error.starts_with(expected), "{error}\ninstead of {expected}");
        assert!(error.contains(" at line 1 column "), "{error}");
    }
    Ok(())
}

/// H67: neither the stored error of an attempt, nor an error of meta, of an export, or of invalid JSON shows a value.
#[test]
fn no_stored_error_and_no_cause_shows_a_value() -> TestResult {
    queue_testkit::block_on(async {
        let secret = "4111-1111";
        let kit = TestKit::new(jobs![bill]).build()?;
        kit.queue()
            .push(vec![NewJob::new("bill", Body::json(format!(r#"{{"customer":"{secret}"}}"#))?)])
            .await?;

        kit.run_until_idle().await?;

        let job = kit.jobs().remove(0);
        assert_eq!(job.state, State::Discarded);
        assert!(!job.errors[0].message.contains(secret), "{}", job.errors[0].message);
        let errors = [
            Body::json(format!(r#"{{"card": "{secret}" "#)).unwrap_err(),
            Body::json(secret).unwrap_err(),
            Meta::from_json(&format!(r#"["{secret}"]"#)).unwrap_err(),
            Meta::from_json(r#"{"card": 41111111}"#).unwrap_err(),
            JobRecord::import(&format!(r#"{{"form": "{secret}"}}"#)).unwrap_err(),
            JobRecord::import(&job.export()?.replace("\"priority\": 0", "\"priority\": \"4111\""))
                .unwrap_err(),
            Body::typed(Shy).encode().unwrap_err(),
        ];
        for error in errors {
            assert!(!said(&error).contains("4111"), "{}", said(&error));
            assert!(error.source().is_some(), "{error} has no cause");
        }
        Ok(())
    })
}

/// Fails to be serialized, with a message that contains its value.
struct Shy;

impl Serialize for Shy {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("4111-1111 can't be written"))
    }
}
