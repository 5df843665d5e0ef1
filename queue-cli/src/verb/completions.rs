//! `queue completions`: the completions of a shell.

use clap::Args;
use clap_complete::Shell;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Prints the completions of a shell
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Serialize)]
struct CompletionsLine {
    shell: String,
    script: String,
}

impl Completions {
    pub(crate) fn run(self, mut command: clap::Command, out: &mut Output) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "queue", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        let line = CompletionsLine { shell: self.shell.to_string(), script };
        out.sentence(&line, line.script.trim_end())?;
        Ok(Exit::Done)
    }
}
