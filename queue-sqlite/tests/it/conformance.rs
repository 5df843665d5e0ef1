//! Holds the queue to every law of the contract, in a file and in memory.

mod in_a_file {
    use crate::fixture::UnderTest;

    queue_conformance::conformance!(async || UnderTest::in_a_file().await);
}

mod in_memory {
    use crate::fixture::UnderTest;

    queue_conformance::conformance!(async || UnderTest::in_memory().await);
}
