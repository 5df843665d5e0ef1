//! What the queue writes to the program's log, kept for tests to look into.

use std::io::Write;
use std::sync::{LazyLock, Mutex};

use tracing_subscriber::fmt::MakeWriter;

/// Lines of all tests of this program; a test looks for those that name its own schema or server.
static LINES: Mutex<String> = Mutex::new(String::new());

/// Installed once, since the queue writes from a thread of its own.
static INSTALLED: LazyLock<()> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Lines).finish();
    tracing::subscriber::set_global_default(subscriber).expect("nobody else installs one");
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

/// Begins to keep what is written.
pub(crate) fn keep() {
    LazyLock::force(&INSTALLED);
}

/// Counts the lines that have all of these words.
pub(crate) fn count(words: &[&str]) -> usize {
    let lines = LINES.lock().expect("the lines");
    lines.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
}
