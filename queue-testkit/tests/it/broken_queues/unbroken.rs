//! Holds the queue that the breaches are made to: without any of them it keeps every law.

use super::broken::{Broken, Bug};

#[derive(Default)]
struct Nothing;

impl Bug for Nothing {}

queue_testkit::conformance!(async || Broken::<Nothing>::new());
