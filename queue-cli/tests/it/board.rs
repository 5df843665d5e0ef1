//! The verb `board`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use queue_core::{BoxError, State};

use crate::fixture::{DISCARDED, id};
use crate::store::{Store, TestResult, command, on_each_store};

on_each_store!(board_shows_and_changes_the_store,);

/// A running board.
struct Running {
    process: Child,
    address: String,
}

impl Running {
    fn start(store: &Store, options: &[&str]) -> Result<Self, BoxError> {
        let mut command = command();
        let command = command.args(&store.options).args(["board", "--port", "0", "--json"]).args(options);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let line: serde_json::Value = serde_json::from_str(&line)?;
        let url = line["url"].as_str().ok_or("no address")?;
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Ok(Self { process, address })
    }

    /// Sends a request, and returns the answer.
    fn request(&self, method: &str, path: &str, headers: &str) -> Result<String, BoxError> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn board_shows_and_changes_the_store(store: &Store) -> TestResult {
    let path = format!("/jobs/{}", id(DISCARDED));
    let retry = format!("{path}/retry");
    let json = "Accept: application/json\r\n";
    let own_page = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n";

    let board = Running::start(store, &[])?;
    let job = board.request("GET", &path, json)?;
    assert!(job.contains("the card was declined"), "{job}");
    assert!(!job.contains("\"order\""), "a payload is hidden: {job}");
    let refused = board.request("POST", &retry, own_page)?;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    drop(board);

    let board = Running::start(store, &["--allow-changes", "--payloads"])?;
    let job = board.request("GET", &path, json)?;
    assert!(job.contains("order"), "{job}");
    let answer = board.request("POST", &retry, own_page)?;
    assert!(answer.starts_with("HTTP/1.1 303") || answer.starts_with("HTTP/1.1 200"), "{answer}");
    let stored = store.queue.get(id(DISCARDED)).await?.ok_or("no job")?;
    assert_eq!(stored.state, State::Available);
    Ok(())
}
