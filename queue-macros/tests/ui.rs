//! Tests `#[background_job]` against M4 to M8 and M10: what compiles, and the message for each mistake.
//!
//! The messages are pinned to the toolchain of `rust-toolchain.toml`; `TRYBUILD=overwrite` rewrites them.

/// M4: every supported form compiles.
#[test]
fn every_supported_form_compiles() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

/// M5, M6, M7, M8, M10: every mistake is reported at its span, with what to write instead.
#[test]
fn every_mistake_is_reported_at_its_span_with_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
