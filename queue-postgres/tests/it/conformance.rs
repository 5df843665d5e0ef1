//! Holds the queue to every law of the contract.

use crate::fixture::UnderTest;

queue_testkit::conformance!(async || UnderTest::fresh().await);
