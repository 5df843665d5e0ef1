//! A product catalogue that answers at once and does the rest in the background.
//!
//! `cargo run --example stock` serves it until Ctrl-C; `cargo run --example stock -- --demo` runs a demo and ends.
//! The application itself is the library next to this file: start reading at `lib.rs`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

use std::io::{IsTerminal as _, stderr};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser as _;
use queue_core::BoxError;
use queue_core::backend::error_chain;
use stock::settings::Settings;
use stock::{app, demo};

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    tracing_subscriber::fmt().with_writer(stderr).with_ansi(stderr().is_terminal()).with_target(false).init();
    match run(&settings).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> Result<ExitCode, BoxError> {
    if settings.demo {
        return show(settings).await;
    }
    app::serve(settings, welcome).await?;
    Ok(ExitCode::SUCCESS)
}

async fn show(settings: &Settings) -> Result<ExitCode, BoxError> {
    let summary = demo::run(settings).await?;
    println!("\n{summary}");
    let missing = summary.missing();
    for what in &missing {
        eprintln!("missing: {what}");
    }
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn welcome(address: SocketAddr) {
    println!(
        "The catalogue is at http://{address}/ (as JSON: http://{address}/state), its queue at http://{address}/queue. \
         Ctrl-C stops it.\n\n\
         Add a product there, or by:\n  \
         curl http://{address}/products -d \
         '{{\"sku\": \"TEA-1\", \"name\": \"Green tea\", \"price_cents\": 450, \"stock\": 120}}'\n"
    );
}
