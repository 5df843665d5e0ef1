//! Tests that the program runs and answers, as a process of its own, and that it is short.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use queue_core::BoxError;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// How long the program may take for something.
const LONG: Duration = Duration::from_secs(60);

/// Set in the process that runs the program.
const ADDRESS: &str = "ADDRESS";

/// The most lines of code beyond the job.
const LIMIT: usize = 40;

#[test]
fn the_service_has_at_most_40_lines_beyond_its_job() {
    let code: Vec<_> = include_str!("main.rs")
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("//"))
        .filter(|line| !["#[cfg(test)]", "mod tests;"].contains(line))
        .collect();
    let begin = code.iter().position(|line| line.starts_with("#[background_job")).unwrap();
    let length = code[begin..].iter().position(|line| *line == "}").unwrap() + 1;

    let beyond = code.len() - length;

    assert!(beyond <= LIMIT, "{beyond} lines: {code:#?}");
}

/// The process that runs the program. As a test among the others, it returns at once.
#[test]
fn serve_until_killed() -> Result<(), BoxError> {
    if std::env::var(ADDRESS).is_ok() { super::main() } else { Ok(()) }
}

/// The program as a process, which is killed at the end.
struct Program {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Program {
    /// Starts the program with traces to a collector, and waits until it serves.
    fn start(collector: &str) -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--exact", "tests::serve_until_killed", "--nocapture"])
            .current_dir(folder.path())
            .envs([(ADDRESS, "127.0.0.1:0"), ("NO_COLOR", "1"), ("OTEL_BSP_SCHEDULE_DELAY", "50")])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("the output is piped")?).lines();
        let mut program = Self { process, url: String::new(), _folder: folder };
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.contains("serving HTTP").then(|| line.split("address=").nth(1).map(str::to_owned))?
        });
        program.url = format!("http://{}", address.ok_or("the program ended by itself")?);
        // The program stops if its output is closed or full.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(program)
    }

    async fn get(&self, path: &str) -> Result<String, BoxError> {
        let answer = reqwest::get(format!("{}{path}", self.url)).await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Asks until the answer contains `text`, and returns that answer.
    async fn get_with(&self, path: &str, text: &str) -> Result<String, BoxError> {
        let answered = async {
            loop {
                let answer = self.get(path).await?;
                if answer.contains(text) {
                    return Ok(answer);
                }
            }
        };
        timeout(LONG, answered).await.map_err(|_| format!("{path} does not answer with {text}"))?
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Starts a collector of traces. Returns its URL, and the spans that it receives.
async fn collector() -> Result<(String, UnboundedReceiver<Value>), BoxError> {
    async fn receive(State(spans): State<UnboundedSender<Value>>, body: Bytes) {
        let exported: Value = serde_json::from_slice(&body).unwrap_or_default();
        let children = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        for resource in children(&exported, "resourceSpans") {
            for scope in children(&resource, "scopeSpans") {
                children(&scope, "spans").into_iter().for_each(|span| drop(spans.send(span)));
            }
        }
    }

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (sender, spans) = unbounded_channel();
    let router = Router::new().route("/v1/traces", post(receive)).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, spans))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_answers_with_results_health_metrics_and_traces() -> Result<(), BoxError> {
    let (collector, mut spans) = collector().await?;
    let program = Program::start(&collector)?;

    let ordered = reqwest::Client::new().post(format!("{}/reports/2026", program.url)).send().await?;
    assert_eq!(ordered.status().as_u16(), 202);
    let job = format!("/reports/{}", ordered.text().await?);
    let status: Value = serde_json::from_str(&program.get_with(&job, "completed").await?)?;
    let health = program.get("/health").await?;
    let completed = "queue_attempts_total{queue=\"reports\",name=\"report\",outcome=\"complete\"} 1\n";
    let metrics = program.get_with("/metrics", completed).await?;
    let traced = async {
        let mut seen: Vec<Value> = Vec::new();
        while let Some(span) = spans.recv().await {
            seen.push(span);
            let trace = |name| seen.iter().find(|span| span["name"] == name).map(|span| &span["traceId"]);
            if let (Some(request), Some(attempt)) = (trace("POST /reports"), trace("process reports")) {
                return Ok((request.clone(), attempt.clone()));
            }
        }
        Err(format!("the collector ended after {seen:?}"))
    };
    let (request, attempt) = timeout(LONG, traced).await??;

    assert_eq!((&status["result"], &status["progress"]), (&"/reports/2026.pdf".into(), &Value::Null));
    assert_eq!(health, "ready");
    assert!(metrics.contains(r#"queue_depth{queue="reports",state="available"} 0"#), "{metrics}");
    assert_eq!(request, attempt, "the request and its job are one trace");
    Ok(())
}
