//! The command line arguments.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use queue_core::Lease;

use crate::queues::QueueKind;

/// A product catalogue that answers at once and does the rest in the background.
#[derive(Clone, Debug, Parser)]
#[command(name = "stock")]
#[non_exhaustive]
pub struct Settings {
    /// The port to serve on; 0 chooses a free one [default: 8080, or 0 for the demo]
    #[arg(long)]
    pub port: Option<u16>,
    /// The folder for the database, e-mails and reports [default: out/stock, or out/stock-demo for the demo]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// The store of the jobs: `memory`, `sqlite`, `sqlite:PATH` or `postgres://...` [default: sqlite, in the folder for the database]
    #[arg(long, default_value = "sqlite", hide_default_value = true)]
    pub queue: QueueKind,
    /// The server that sends e-mails, as in smtp://localhost:1025; without one they are files in a folder
    #[arg(long, value_name = "URL")]
    pub smtp: Option<String>,
    /// Imports products from a CSV file into an empty catalogue, waits for all background work, and ends
    #[arg(long)]
    pub demo: bool,
    /// The CSV file to import [default: a dozen products that come with the demo]
    #[arg(long, value_name = "FILE", requires = "demo")]
    pub products: Option<PathBuf>,
    /// The time that resizing the photos of a new product takes
    #[arg(skip = Self::PHOTO_TIME)]
    pub photo_time: Duration,
    /// The time after which the jobs of a process that died are delivered to another process
    #[arg(skip = Lease::DEFAULT_LENGTH)]
    pub lease: Duration,
}

impl Settings {
    const PHOTO_TIME: Duration = Duration::from_secs(5);

    /// Returns all defaults, as for `stock` without arguments.
    #[must_use]
    pub fn new() -> Self {
        Self {
            port: None,
            data: None,
            queue: QueueKind::default(),
            smtp: None,
            demo: false,
            products: None,
            photo_time: Self::PHOTO_TIME,
            lease: Lease::DEFAULT_LENGTH,
        }
    }

    /// Returns the port to serve on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.demo { 0 } else { 8080 })
    }

    /// Returns the folder for all written files.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        let default = if self.demo { "out/stock-demo" } else { "out/stock" };
        self.data.clone().unwrap_or_else(|| default.into())
    }

    /// Returns the CSV file to import; the demo's own file is found from any working directory.
    #[must_use]
    pub fn products(&self) -> PathBuf {
        let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("stock/products.csv");
        self.products.clone().unwrap_or_else(default)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
