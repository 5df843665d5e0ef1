//! The examples, run as a reader would run them: each ends by itself, and with success.

use std::time::Duration;

use crate::cargo::cargo;
use crate::steps::Step;

/// A program that hangs fails, rather than the whole run with it.
const LIMIT: Duration = Duration::from_secs(600);

/// A program of the examples, with the arguments that make it end by itself.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    arguments: &'static str,
}

/// Every example that is a program.
pub(crate) const PROGRAMS: [Program; 9] = [
    Program { name: "stock", arguments: "--demo" },
    Program { name: "hello", arguments: "" },
    Program { name: "closures", arguments: "" },
    Program { name: "scoped_services", arguments: "" },
    Program { name: "retries", arguments: "" },
    Program { name: "middleware", arguments: "" },
    Program { name: "graceful_shutdown", arguments: "--demo" },
    Program { name: "transactional", arguments: "" },
    Program { name: "own_backend", arguments: "" },
];

/// Examples that are tests, which `cargo test` runs.
pub(crate) const TESTS: [&str; 1] = ["testing"];

/// A step for each program.
pub(crate) fn steps() -> Vec<Step> {
    PROGRAMS.iter().map(step).collect()
}

fn step(program: &Program) -> Step {
    let call = cargo(&program.line()).with_limit(LIMIT);
    Step::cargo(&format!("example {}", program.name), call, "an example ends by itself, and with success")
}

impl Program {
    /// The line that the README tells a reader to type.
    fn line(&self) -> String {
        let Self { name, arguments } = self;
        if arguments.is_empty() {
            format!("run --example {name}")
        } else {
            format!("run --example {name} -- {arguments}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_run_as_the_readme_says() {
        assert_eq!(Program { name: "hello", arguments: "" }.line(), "run --example hello");
        assert_eq!(Program { name: "stock", arguments: "--demo" }.line(), "run --example stock -- --demo");
    }
}
