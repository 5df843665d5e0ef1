//! The comparison that laws make, in words that tell a backend's author which side is theirs.

/// Holds that what was found equals what is expected, and says what it is about.
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
