//! The parts that both suites of laws share: the list of laws, the runner of one law, and its steps.

mod expect;
mod runner;
mod steps;

pub(crate) use expect::expect_eq;
pub(crate) use runner::{PATIENCE, panic_text, run};
pub(crate) use steps::{LastStep, Steps, expect_refusal};

use futures_util::future::BoxFuture;

/// A law: a function that panics if a queue breaks it.
pub(crate) struct Law<S: 'static> {
    pub(crate) name: &'static str,
    pub(crate) run: for<'a> fn(&'a S) -> BoxFuture<'a, ()>,
}

/// Lists a suite's laws by section. Generates the table of them, and the macro that generates a test for each.
macro_rules! laws {
    (
        $(#[$doc:meta])*
        suite = $suite:ident, module = $module:ident, harness = $harness:ty, {
            $($section:ident { $($law:ident,)* })*
        }
    ) => {
        /// All laws, in order.
        const LAWS: &[$crate::law::Law<$harness>] = &[
            $($($crate::law::Law {
                name: stringify!($law),
                run: |harness| Box::pin($section::$law(harness)),
            },)*)*
        ];

        /// Returns the names of all laws.
        pub fn laws() -> impl Iterator<Item = &'static str> {
            LAWS.iter().map(|law| law.name)
        }

        $crate::law::laws!(@suite ($) $(#[$doc])* $suite $module $($($law)*)*);
    };
    (@suite ($d:tt) $(#[$doc:meta])* $suite:ident $module:ident $($law:ident)*) => {
        $(#[$doc])*
        #[macro_export]
        macro_rules! $suite {
            ($d factory:expr) => {
                $(
                    #[test]
                    fn $law() {
                        let test = concat!(module_path!(), "::", stringify!($law));
                        $d crate::$module::run_as(test, stringify!($law), $d factory);
                    }
                )*
            };
        }
    };
}

pub(crate) use laws;

/// Returns the law with this number or this name.
pub(crate) fn find<S>(laws: &'static [Law<S>], law: &str) -> Result<&'static Law<S>, String> {
    let is_meant = |candidate: &&Law<S>| {
        let number = candidate.name.split('_').next().unwrap_or_default();
        candidate.name == law || number.eq_ignore_ascii_case(law)
    };
    let found = laws.iter().find(is_meant);
    found.ok_or_else(|| format!("there is no law `{law}`; `laws()` of the suite's module lists them"))
}
