//! A program in a terminal of tmux.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::error::ServerError;
use crate::programs;

/// A server of tmux that no other process uses, with one program in one terminal. Dropping it ends both.
pub struct Tmux {
    program: PathBuf,
    folder: TempDir,
}

/// No line at the bottom, so that the program has the whole size, and an ended program leaves its screen.
const SETTINGS: &str = "set -g status off\nset -g remain-on-exit on\nset -g default-terminal tmux-256color\n";

impl Tmux {
    /// Starts a program in a terminal of this size.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] says what to install.
    pub fn start(program: &Path, arguments: &[String], columns: u16, rows: u16) -> Result<Self, ServerError> {
        let tmux = programs::tmux()?;
        let folder = tempfile::Builder::new().prefix("tmux").tempdir();
        let folder = folder.map_err(ServerError::io("can't create a temporary folder"))?;
        std::fs::write(folder.path().join("settings"), SETTINGS)
            .map_err(ServerError::io("can't write a temporary file"))?;
        let terminal = Self { program: tmux, folder };
        let size = ["-x".to_owned(), columns.to_string(), "-y".to_owned(), rows.to_string()];
        // tmux itself sometimes says that the program has ended, and not how.
        let run = format!("\"$0\" \"$@\"; echo $? > '{}'", terminal.code().display());
        let mut call = terminal.tmux();
        call.args(["new-session", "-d"])
            .args(size)
            .args(["--", "sh", "-c", &run])
            .arg(program)
            .args(arguments);
        terminal.done(call)?;
        Ok(terminal)
    }

    /// Returns the text of the screen.
    ///
    /// # Errors
    ///
    /// tmux could not be asked.
    pub fn screen(&self) -> Result<String, ServerError> {
        let mut call = self.tmux();
        call.args(["capture-pane", "-p"]);
        Ok(String::from_utf8_lossy(&self.done(call)?.stdout).into_owned())
    }

    /// Types keys by their names, such as `Down`, or a text.
    ///
    /// # Errors
    ///
    /// tmux could not be asked.
    pub fn press(&self, keys: &[&str]) -> Result<(), ServerError> {
        let mut call = self.tmux();
        call.arg("send-keys").args(keys);
        self.done(call).map(drop)
    }

    /// Returns the exit code of the program, or `None` while it runs.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        let code = std::fs::read_to_string(self.code()).ok()?;
        code.trim().parse().ok()
    }

    /// Returns the path of the file with the exit code.
    fn code(&self) -> PathBuf {
        self.folder.path().join("code")
    }

    /// Returns the command that talks to this server.
    fn tmux(&self) -> Command {
        let mut call = Command::new(&self.program);
        call.arg("-S")
            .arg(self.folder.path().join("socket"))
            .arg("-f")
            .arg(self.folder.path().join("settings"));
        // A test may itself run in a terminal of tmux.
        call.env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        call
    }

    fn done(&self, mut call: Command) -> Result<Output, ServerError> {
        let output = call.output().map_err(ServerError::io("can't start tmux"))?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(ServerError::Failed { program: self.program.clone(), said })
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut call = self.tmux();
        call.arg("kill-server");
        // The server may have ended already.
        drop(self.done(call));
    }
}

impl fmt::Debug for Tmux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tmux").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}
