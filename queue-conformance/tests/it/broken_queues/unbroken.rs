//! The queue without a bug, which passes every law.

use super::broken::{Broken, Bug};

#[derive(Default)]
struct Nothing;

impl Bug for Nothing {}

queue_conformance::conformance!(async || Broken::<Nothing>::new());
