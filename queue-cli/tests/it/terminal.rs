//! A pseudo-terminal, with the command in it and its screen as text.

use std::io::{Read as _, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::store::Store;

/// How long a screen may take. Only a test that fails waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The size of the screen.
pub(crate) const COLUMNS: u16 = 140;
pub(crate) const ROWS: u16 = 30;

const SIZE: PtySize = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };

/// A command in a terminal of its own.
pub(crate) struct Terminal {
    screen: vt100::Parser,
    /// All that the command has printed.
    printed: Vec<u8>,
    output: Receiver<Vec<u8>>,
    input: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _terminal: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts the command with the arguments in a line.
    pub(crate) fn start(store: &Store, line: &str) -> Self {
        Self::start_with(store, line, &[])
    }

    /// Starts the command with variables of the environment.
    pub(crate) fn start_with(store: &Store, line: &str, variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(SIZE).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_queue"));
        command.args(&store.options);
        command.args(line.split_whitespace());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "QUEUE_URL", "QUEUE_SCHEMA"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        variables.iter().for_each(|(name, value)| command.env(name, value));
        let child = pair.slave.spawn_command(command).expect("the command starts");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let input = pair.master.take_writer().expect("a writer");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The read fails once the command has ended.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                drop(sender.send(buffer[..read].to_vec()));
            }
        });
        let screen = vt100::Parser::new(SIZE.rows, SIZE.cols, 0);
        Self { screen, printed: Vec::new(), output, input, child, _terminal: pair.master }
    }

    /// Returns the text of the screen, without the spaces at the ends of lines.
    pub(crate) fn screen(&self) -> String {
        let text = self.screen.screen().contents();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// Waits until the screen has a text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.screen().contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.output.recv_timeout(left) else {
                panic!("the screen has no `{text}`:\n{}", self.screen());
            };
            self.take(&bytes);
        }
    }

    /// Types keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).expect("the command reads");
        self.input.flush().expect("the command reads");
    }

    /// Waits for the end of the command. Returns its exit code and its last screen.
    pub(crate) fn end(mut self) -> (u32, String) {
        let code = self.wait();
        (code, self.screen())
    }

    /// Waits for the end of the command. Returns its exit code and all that it printed.
    pub(crate) fn end_with_escapes(mut self) -> (u32, String) {
        let code = self.wait();
        (code, String::from_utf8_lossy(&self.printed).into_owned())
    }

    #[track_caller]
    fn wait(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        // The output ends with the command.
        while let Ok(bytes) = self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.take(&bytes);
        }
        if let Ok(Some(status)) = self.child.try_wait() {
            return status.exit_code();
        }
        if Instant::now() < deadline {
            // It has closed its output a moment before its end.
            return self.child.wait().expect("the command ends").exit_code();
        }
        drop(self.child.kill());
        panic!("the command does not end:\n{}", self.screen());
    }

    fn take(&mut self, bytes: &[u8]) {
        self.printed.extend_from_slice(bytes);
        self.screen.process(bytes);
    }
}
