//! A headless browser that takes pictures of pages.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use axum::http::Method;
use fantoccini::wd::{Capabilities, Locator, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use queue_core::BoxError;
use serde_json::{Value, json};
use test_servers::Browser;
use url::Url;

/// The colors of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Light => "light",
            Self::Dark => "dark",
        })
    }
}

pub(crate) struct Camera {
    client: Client,
    _browser: Browser,
}

impl Camera {
    pub(crate) async fn open() -> Result<Self, BoxError> {
        let browser = Browser::start()?;
        let mut arguments = browser.arguments();
        arguments.push("--hide-scrollbars".to_owned());
        let options = json!({ "binary": browser.program(), "args": arguments });
        let capabilities = Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&browser.url()).await?;
        Ok(Self { client, _browser: browser })
    }

    /// Takes a picture of a page, with a window of this size.
    pub(crate) async fn take(
        &self,
        url: &str,
        theme: Theme,
        (width, height): (u32, u32),
        file: &Path,
    ) -> Result<(), BoxError> {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme.to_string() }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.command("Emulation.setDeviceMetricsOverride", size).await?;
        self.client.goto(url).await?;
        let ready = Locator::Css("#live.now, #live:not([hidden]), form#new");
        self.client.wait().at_most(Duration::from_secs(10)).for_element(ready).await?;
        std::fs::write(file, self.client.screenshot().await?)?;
        Ok(())
    }

    pub(crate) async fn close(self) -> Result<(), BoxError> {
        Ok(self.client.close().await?)
    }

    async fn command(&self, name: &str, parameters: Value) -> Result<(), BoxError> {
        let body = json!({ "cmd": name, "params": parameters }).to_string();
        self.client.issue_cmd(DevTools(body)).await?;
        Ok(())
    }
}

/// A command of the browser's own protocol.
#[derive(Debug)]
struct DevTools(String);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.clone()))
    }
}
