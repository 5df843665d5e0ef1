//! Captures the log lines of the queue, for tests to check.

use std::io::Write;
use std::sync::{LazyLock, Mutex};

use tracing_subscriber::fmt::MakeWriter;

/// The lines of all tests of this program. A test searches for those that name its own schema or server.
static LINES: Mutex<String> = Mutex::new(String::new());

/// Installed globally and once, because the queue logs from its own thread.
static INSTALLED: LazyLock<()> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Lines).finish();
    tracing::subscriber::set_global_default(subscriber).expect("no other subscriber is installed");
});

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().expect("the lines").push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Begins to capture lines.
pub(crate) fn keep() {
    LazyLock::force(&INSTALLED);
}

/// Returns the number of lines that contain all of these words.
pub(crate) fn count(words: &[&str]) -> usize {
    let lines = LINES.lock().expect("the lines");
    lines.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
}
