//! The comparison that laws use. Its message says which value is the backend's.

/// Asserts that `found` equals `expected`. The message names what is compared.
macro_rules! expect_eq {
    ($found:expr, $expected:expr $(,)?) => {
        $crate::law::expect_eq!($found, $expected, "`{}`", stringify!($found))
    };
    ($found:expr, $expected:expr, $($what:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => assert!(
                *found == *expected,
                "{}\n expected: {expected:?}\n      got: {found:?}",
                format_args!($($what)+)
            ),
        }
    };
}

pub(crate) use expect_eq;
