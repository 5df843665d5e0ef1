//! Checks every law of the queue contract.

use crate::fixture::UnderTest;

queue_conformance::conformance!(async || UnderTest::fresh().await);
