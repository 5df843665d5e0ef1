//! Checks every law of the queue contract.

use crate::fixture::UnderTest;

queue_testkit::conformance!(async || UnderTest::fresh().await);
