//! Holds the queue that the breaches are made to: without any of them it keeps every law.

use super::broken::{Breach, Broken};

#[derive(Default)]
struct Nothing;

impl Breach for Nothing {}

queue_testkit::conformance!(async || Broken::<Nothing>::new());
