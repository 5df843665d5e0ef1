//! A Chromium without a window, driven through WebDriver.

use std::fmt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::ServerError;
use crate::process::{Server, chown_to_user};
use crate::programs;

/// The driver of a browser that no other process uses. Dropping it ends the browser too.
///
/// A WebDriver client connects to [`url`](Self::url) and starts the browser with [`program`](Self::program) and
/// [`arguments`](Self::arguments).
pub struct Browser {
    chromium: PathBuf,
    folder: TempDir,
    port: u16,
    driver: Option<Server>,
}

/// Runs the driver with its output on standard error, which the starter reads, and with a home folder that its user may write to.
const RUN: &str = "export HOME=\"$1\" XDG_CONFIG_HOME=\"$1\" XDG_CACHE_HOME=\"$1\"; exec \"$0\" --port=0 >&2";

/// The message of a driver that accepts connections, before its port.
const READY: &str = "was started successfully on port ";

impl Browser {
    /// Starts the driver. It starts a browser for each session.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] says what to install.
    pub fn start() -> Result<Self, ServerError> {
        let programs::BrowserPrograms { chromium, driver } = programs::browser()?;
        let folder = tempfile::Builder::new().prefix("browser").tempdir();
        let folder = folder.map_err(ServerError::io("can't create a temporary folder"))?;
        chown_to_user(folder.path())?;
        let arguments = ["-c", RUN, &driver.display().to_string(), &folder.path().display().to_string()];
        let driver = Server::start(Path::new("sh"), &arguments.map(str::to_owned), folder.path(), READY)?;
        let port = driver
            .ready
            .split_once(READY)
            .and_then(|(_, port)| port.trim_end_matches('.').trim().parse().ok());
        let said = driver.ready.clone();
        let browser = Self { chromium, folder, port: port.unwrap_or_default(), driver: Some(driver) };
        if port.is_some() {
            Ok(browser)
        } else {
            Err(ServerError::Failed { program: "chromedriver".into(), said })
        }
    }

    /// Returns the address of the driver.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the path of the browser.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.chromium
    }

    /// Returns the arguments of a browser: without a window, with an empty profile, and without requests of its own.
    ///
    /// The browser ends with its driver, because the pipe between them closes. The sandbox needs privileges that a container lacks.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--remote-debugging-pipe",
        ]
        .map(str::to_owned)
        .into();
        let profile = format!("--user-data-dir={}", self.folder.path().join("profile").display());
        arguments.push(profile);
        arguments
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.end("TERM", &[]);
        }
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser")
            .field("chromium", &self.chromium)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
