//! A board on a port of this machine, and a browser that visits it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::Method;
use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, Locator, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use queue_board::Board;
use queue_core::BoxError;
use serde_json::{Value, json};
use test_servers::Browser;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// The time limit of every wait for something that must appear.
const SOON: Duration = Duration::from_secs(30);

/// A browser with one page. It ends with its test.
pub(crate) struct Session {
    pub(crate) client: Client,
    address: SocketAddr,
    server: JoinHandle<()>,
    _browser: Browser,
}

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scripts {
    Allowed,
    Blocked,
}

impl Session {
    /// Serves a board under `/queue`, and opens a browser.
    pub(crate) async fn open(board: Board, scripts: Scripts) -> Result<Self, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let app = Router::new().nest_service("/queue", board.router());
        let server = tokio::spawn(async move {
            axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await.ok();
        });
        let browser = Browser::start()?;
        // The driver is on this machine, so the client needs no TLS.
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities(&browser, scripts)).connect(&browser.url()).await?;
        Ok(Self { client, address, server, _browser: browser })
    }

    /// Visits a path of the board.
    pub(crate) async fn visit(&self, path: &str) -> Result<(), BoxError> {
        Ok(self.client.goto(&format!("http://{}/queue{path}", self.address)).await?)
    }

    /// Waits for an element of a CSS selector.
    pub(crate) async fn find(&self, css: &str) -> Result<Element, BoxError> {
        let found = self.client.wait().at_most(SOON).for_element(Locator::Css(css)).await;
        match found {
            Ok(found) => Ok(found),
            Err(error) => Err(format!("no {css} ({error}) in {}", self.client.source().await?).into()),
        }
    }

    /// Waits for an element of an XPath that contains a text.
    pub(crate) async fn find_text(&self, css: &str, text: &str) -> Result<Element, BoxError> {
        let path = match css.strip_prefix('#') {
            Some(id) => format!("//*[@id='{id}'][contains(normalize-space(.), \"{text}\")]"),
            None => format!("//{css}[contains(normalize-space(.), \"{text}\")]"),
        };
        let found = self.client.wait().at_most(SOON).for_element(Locator::XPath(&path)).await;
        match found {
            Ok(found) => Ok(found),
            Err(error) => Err(format!("no {path} ({error}) in {}", self.client.source().await?).into()),
        }
    }

    /// Clicks a button or a link with a text.
    pub(crate) async fn click(&self, tag: &str, text: &str) -> Result<(), BoxError> {
        Ok(self.find_text(tag, text).await?.click().await?)
    }

    /// Returns the texts of all elements of a CSS selector.
    pub(crate) async fn texts(&self, css: &str) -> Result<Vec<String>, BoxError> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await? {
            texts.push(element.text().await?);
        }
        Ok(texts)
    }

    /// Presses keys where the focus is.
    pub(crate) async fn press(&self, keys: &str) -> Result<(), BoxError> {
        Ok(self.client.active_element().await?.send_keys(keys).await?)
    }

    /// Evaluates an expression in the page.
    pub(crate) async fn evaluate(&self, expression: &str) -> Result<Value, BoxError> {
        Ok(self.client.execute(&format!("return ({expression});"), Vec::new()).await?)
    }

    /// Waits until the page has this path and query.
    pub(crate) async fn arrive(&self, path: &str) -> Result<(), BoxError> {
        let url = Url::parse(&format!("http://{}/queue{path}", self.address))?;
        let arrived = self.client.wait().at_most(SOON).for_url(&url).await;
        match arrived {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("{} is not {url}: {error}", self.client.current_url().await?).into()),
        }
    }

    /// Returns the messages of the console: errors, and violations of the policy.
    pub(crate) async fn console(&self) -> Result<Vec<Value>, BoxError> {
        let messages = self.client.issue_cmd(Command::new("se/log", &json!({ "type": "browser" }))).await?;
        Ok(messages.as_array().cloned().unwrap_or_default())
    }

    /// Ends the browser, after a check that no page has logged an error.
    pub(crate) async fn close(self) -> Result<(), BoxError> {
        let console = self.console().await?;
        self.client.clone().close().await?;
        self.server.abort();
        if console.is_empty() { Ok(()) } else { Err(format!("the console has messages: {console:?}").into()) }
    }
}

fn capabilities(browser: &Browser, scripts: Scripts) -> Capabilities {
    let mut arguments = browser.arguments();
    arguments.push("--window-size=1280,900".to_owned());
    let mut options = json!({ "binary": browser.program(), "args": arguments });
    if scripts == Scripts::Blocked {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
    capabilities
}

/// A command of Chromium's driver that is not in the standard.
#[derive(Debug)]
pub(crate) struct Command {
    path: &'static str,
    body: String,
}

impl Command {
    pub(crate) fn new(path: &'static str, body: &Value) -> Self {
        Self { path, body: body.to_string() }
    }
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.clone()))
    }
}
