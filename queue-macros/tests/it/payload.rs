//! The payload type: its fields, its derived traits, and its serialization.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::{Job, background_job};
use serde_json::json;

#[background_job]
async fn ship(
    order: u64,
    #[serde(default)] express: bool,
    note: Option<String>,
    #[serde(rename = "to", default = "home")] address: &str,
) {
    drop((order, express, note, address));
}

fn home() -> String {
    "home".to_owned()
}

#[background_job]
async fn tick() {}

#[background_job]
async fn wait(#[serde(with = "seconds")] period: Duration, #[serde(skip)] cached: Option<u8>) {
    let _ = (period, cached);
}

mod seconds {
    use std::time::Duration;

    use queue_core::private::serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(period: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(period.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[background_job]
async fn tree(leaf: u8, children: Vec<tree>, table: BTreeMap<String, Box<tree>>) {
    drop((leaf, children, table));
}

#[background_job]
async fn keywords(r#type: &str, scope: u8, formatter: u8, other: u8, serializer: Vec<u8>) {
    drop((r#type, scope, formatter, other, serializer));
}

/// M2: a payload has named fields, by which it is compared, cloned and formatted.
#[test]
fn a_payload_is_compared_cloned_and_shown_by_its_fields() {
    let job = ship { order: 1, express: true, note: None, address: "x".to_owned() };

    assert_eq!(job, job.clone());
    assert_ne!(job, ship { order: 2, ..job.clone() });
    assert_eq!(format!("{job:?}"), r#"ship { order: 1, express: true, note: None, address: "x" }"#);
    assert_eq!(format!("{:?}", tick {}), "tick");
}

/// M2: a payload is serialized to JSON by its fields, and deserialized to an equal one.
#[test]
fn a_payload_crosses_the_wire_by_its_fields() {
    let job = ship::new(1, true, Some("quick".to_owned()), "x");

    let text = serde_json::to_value(&job).unwrap();

    assert_eq!(text, json!({ "order": 1, "express": true, "note": "quick", "to": "x" }));
    assert_eq!(serde_json::from_value::<ship>(text).unwrap(), job);
    assert_eq!(serde_json::to_string(&tick::new()).unwrap(), "{}");
    assert_eq!(serde_json::from_str::<tick>("{}").unwrap(), tick {});
}

/// M2: serde attributes are passed on, and a missing `Option` is `None` as with serde's own derive.
#[test]
fn missing_fields_follow_the_serde_attributes() {
    let job: ship = serde_json::from_value(json!({ "order": 1 })).unwrap();

    assert_eq!(job, ship::new(1, false, None, "home"));
    let refused = serde_json::from_value::<ship>(json!({})).unwrap_err();
    assert!(refused.to_string().contains("missing field `order`"), "{refused}");
}

/// M2: serde attributes change how a field is written.
#[test]
fn serde_attributes_change_how_a_field_is_written() {
    let job = wait::new(Duration::from_secs(5), Some(1));

    let text = serde_json::to_value(&job).unwrap();

    assert_eq!(text, json!({ "period": 5 }));
    assert_ne!(job, wait { period: Duration::from_secs(6), ..job.clone() }, "and compared like any other");
    assert_ne!(job, wait { cached: None, ..job.clone() }, "as is a field that isn't written");
    assert_eq!(serde_json::from_value::<wait>(text).unwrap(), wait::new(Duration::from_secs(5), None));
}

/// M2: a payload may contain payloads, of its own type too.
#[test]
fn a_payload_may_hold_payloads_of_its_own_kind() {
    let job = tree::new(1, vec![tree::new(2, Vec::new(), BTreeMap::new())], BTreeMap::new());

    let text = serde_json::to_string(&job).unwrap();

    assert_eq!(serde_json::from_str::<tree>(&text).unwrap(), job);
}

/// M2: a parameter may have a name that generated code uses.
#[test]
fn a_parameter_may_have_any_name() {
    let job = keywords::new("x", 1, 2, 3, vec![4]);

    let text = serde_json::to_value(&job).unwrap();

    assert_eq!(text["type"], "x");
    assert_eq!(serde_json::from_value::<keywords>(text).unwrap(), job);
}

/// M2: the fields are listed with their types, for messages about payloads that can't be decoded.
#[test]
fn the_fields_are_listed_as_people_write_them() {
    assert_eq!(ship::FIELDS, ["order: u64", "express: bool", "note: Option<String>", "address: String"]);
    assert_eq!(tree::FIELDS, ["leaf: u8", "children: Vec<tree>", "table: BTreeMap<String, Box<tree>>"]);
    assert_eq!(keywords::FIELDS[0], "type: String");
    assert!(tick::FIELDS.is_empty());
}
