//! Takes screenshots of the board with sample jobs: `cargo run -p queue-board --example screenshots -- FOLDER`.
//!
//! With `--serve`, it serves the sample instead, until it is stopped.
#![expect(clippy::print_stdout, reason = "a command line talks to its terminal")]

mod camera;
mod sample;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use camera::{Camera, Theme};
use queue_board::{Access, Board, show_all};
use queue_core::BoxError;
use sample::Sample;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "out/board".to_owned());
    let samples =
        [("empty", Sample::empty().await?), ("few", Sample::few().await?), ("many", Sample::many().await?)];
    let mut app = Router::new();
    for (name, sample) in &samples {
        let board =
            Board::new(Arc::new(sample.queue.clone())).access(|_| Access::act("ada")).payloads(show_all);
        app = app.nest_service(&format!("/{name}"), board.router());
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
    if argument == "--serve" {
        println!("http://{address}/few, /many and /empty");
        return Ok(server.await?);
    }
    tokio::spawn(async move { server.await });
    let (folder, camera) = (PathBuf::from(argument), Camera::open().await?);
    std::fs::create_dir_all(&folder)?;
    for (name, sample) in &samples {
        for (page, path) in sample.pages() {
            for theme in [Theme::Light, Theme::Dark] {
                for (device, width, height) in [("desk", 1280, 900), ("phone", 390, 844)] {
                    let file = folder.join(format!("{name}-{page}-{device}-{theme}.png"));
                    let url = format!("http://{address}/{name}{path}");
                    camera.take(&url, theme, (width, height), &file).await?;
                    println!("{}", file.display());
                }
            }
        }
    }
    camera.close().await
}
