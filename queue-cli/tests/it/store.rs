//! A store of each kind with the same jobs, and the command that is run on it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use queue_core::{Admin, BoxError};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{AssertSqlSafe, PgPool, raw_sql};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;
use queue_testkit::TestPostgres;
use regex::Regex;
use tempfile::TempDir;

use crate::fixture::fill;

pub(crate) type TestResult = Result<(), BoxError>;

/// The schema of the jobs in PostgreSQL. The one of the testkit has a clock that stands still.
pub(crate) const SCHEMA: &str = "cli";

/// A store with the jobs of `fixture.rs`.
pub(crate) struct Store {
    /// The options that name the store.
    pub(crate) options: Vec<String>,
    /// The same store, to see what the command did.
    pub(crate) queue: Arc<dyn Admin>,
    files: Files,
}

/// The files of the store, which are deleted when the test has ended.
enum Files {
    Folder(TempDir),
    Database(Box<TestPostgres>),
}

/// The place of the jobs of a store.
pub(crate) enum Place {
    File(PathBuf),
    Database(PgPool),
}

impl Store {
    pub(crate) async fn sqlite() -> Result<Self, BoxError> {
        let store = Self::in_folder(tempfile::tempdir()?).await?;
        fill(&*store.queue).await?;
        Ok(store)
    }

    pub(crate) async fn postgres() -> Result<Self, BoxError> {
        Self::in_postgres(TestPostgres::create(setup).await?).await
    }

    async fn in_folder(folder: TempDir) -> Result<Self, BoxError> {
        let path = folder.path().join("jobs.db");
        let queue = SqliteQueue::open(&path).await?;
        let options = vec!["--url".to_owned(), format!("sqlite:{}", path.display())];
        Ok(Self { options, queue: Arc::new(queue), files: Files::Folder(folder) })
    }

    async fn in_postgres(database: TestPostgres) -> Result<Self, BoxError> {
        let queue = PostgresQueue::builder(database.url().to_owned()).schema(SCHEMA).connect().await?;
        let options = ["--url", database.url(), "--schema", SCHEMA].map(str::to_owned).to_vec();
        Ok(Self { options, queue: Arc::new(queue), files: Files::Database(Box::new(database)) })
    }

    /// Returns a store of the other kind, without jobs.
    pub(crate) async fn other_kind(&self) -> Result<Self, BoxError> {
        if matches!(self.files, Files::Folder(_)) {
            return Self::in_postgres(TestPostgres::create(leave_empty).await?).await;
        }
        Self::in_folder(tempfile::tempdir()?).await
    }

    /// Returns the address of the store.
    pub(crate) fn url(&self) -> &str {
        &self.options[1]
    }

    /// Returns where the jobs are, for a test that changes the store behind the queue's back.
    pub(crate) fn place(&self) -> Place {
        match &self.files {
            Files::Folder(folder) => Place::File(folder.path().join("jobs.db")),
            Files::Database(database) => Place::Database(database.pool().clone()),
        }
    }

    /// Breaks the schema.
    pub(crate) async fn drop_an_index(&self) -> TestResult {
        match &self.files {
            Files::Folder(folder) => {
                let file = Connection::open(folder.path().join("jobs.db"))?;
                file.execute_batch("drop index queue_jobs_by_queue")?;
            }
            Files::Database(database) => {
                let drop = format!("drop index {SCHEMA}.finished_by_queue");
                raw_sql(AssertSqlSafe(drop)).execute(database.pool()).await?;
            }
        }
        Ok(())
    }

    /// Runs the command with the arguments in a line.
    pub(crate) fn run(&self, line: &str) -> Printed {
        self.run_with_input(line, "")
    }

    /// Runs the command with an input.
    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> Printed {
        run(command().args(&self.options).args(line.split_whitespace()), input)
    }

    /// Runs lines one after the other. Returns them with their outputs and exit codes, without what differs from run to run.
    pub(crate) fn transcript(&self, lines: &[&str]) -> String {
        lines.iter().map(|line| self.run(line).transcript(line)).collect()
    }
}

/// Fills the template of the databases.
async fn setup(database: &TestPostgres) -> TestResult {
    let queue = PostgresQueue::builder(database.url().to_owned()).schema(SCHEMA).connect().await?;
    Ok(fill(&queue).await?)
}

/// The database has no queue but that of the testkit.
pub(crate) async fn leave_empty(_: &TestPostgres) -> TestResult {
    Ok(())
}

/// The output of a run of the command.
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) error: String,
}

impl Printed {
    fn transcript(&self, line: &str) -> String {
        let code = if self.code == 0 { String::new() } else { format!("exit code {}\n", self.code) };
        redact(&format!("$ queue {line}\n{}{}{code}\n", self.out, self.error))
    }
}

/// Returns the command, without the settings of the caller.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_queue"));
    command.env_remove("QUEUE_URL").env_remove("QUEUE_SCHEMA").env_remove("CLICOLOR_FORCE");
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, input: &str) -> Printed {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("the command is there");
    // A command that fails early reads no input.
    drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Printed {
        code: output.status.code().expect("no signal"),
        out: text(output.stdout),
        error: text(output.stderr),
    }
}

/// Replaces new ids, then times: a part of an id, such as `728d`, can read like a time.
pub(crate) fn redact(text: &str) -> String {
    let replacements = [
        ("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[ID]"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[TIME]"),
        (r#""oldest_ready_seconds":[\d.e-]+"#, r#""oldest_ready_seconds":[SECONDS]"#),
        (r#""(in|out)_per_minute":(null|\d+)"#, r#""${1}_per_minute":[RATE]"#),
        (r"[\d,]+/min|–", "[RATE]"),
        (r"\b\d+[smhd]( \d+[smh])?\b", "[SHORT]"),
    ];
    let replace = |text: String, (pattern, by): (&str, &str)| {
        Regex::new(pattern).expect("a pattern").replace_all(&text, by).into_owned()
    };
    replacements.into_iter().fold(text.to_owned(), replace)
}

#[test]
fn an_id_with_a_part_like_a_time_is_replaced_whole() {
    assert_eq!(redact("stored 01a229f5-dec8-728d-8424-5bc789f31d90 in 5s"), "stored [ID] in [SHORT]");
}

/// Returns a screen without what depends on the lengths of times: each run of spaces is two.
pub(crate) fn collapse(screen: &str) -> String {
    let parts = |line: &str| {
        line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    };
    screen.lines().map(parts).map(|line| line.replace('─', "") + "\n").collect()
}

/// Compares a text with the file of this name in `golden/`. `INSTA_UPDATE=always` writes the files.
#[track_caller]
pub(crate) fn assert_golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Defines a test for each store, from functions that take one.
macro_rules! on_each_store {
    ($($(#[$doc:meta])* $test:ident),+ $(,)?) => {
        mod sqlite {
            $($(#[$doc])* #[tokio::test]
            async fn $test() -> crate::store::TestResult {
                super::$test(&crate::store::Store::sqlite().await?).await
            })+
        }

        mod postgres {
            $($(#[$doc])* #[tokio::test]
            async fn $test() -> crate::store::TestResult {
                super::$test(&crate::store::Store::postgres().await?).await
            })+
        }
    };
}
pub(crate) use on_each_store;
