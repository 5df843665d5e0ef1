//! Where e-mails go: to an SMTP server, or to a folder.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use lettre::transport::smtp::SMTP_PORT;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use queue_core::BoxError;
use reqwest::Url;

/// Sends e-mails; jobs ask for it by `#[inject] mailer: &dyn Mailer`.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one, and returns when it was taken.
    async fn send(&self, mail: Message) -> Result<(), BoxError>;
}

/// Every transport of `lettre` is a mailer.
#[async_trait]
impl<T> Mailer for T
where
    T: AsyncTransport + Send + Sync,
    T::Ok: Send,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    async fn send(&self, mail: Message) -> Result<(), BoxError> {
        AsyncTransport::send(self, mail).await.map(drop).map_err(Into::into)
    }
}

/// Makes a mailer that hands e-mails to a server near by, without encryption: `smtp://localhost:1025`.
///
/// # Errors
///
/// The address is none of that kind.
pub fn to_server(address: &str) -> Result<Arc<dyn Mailer>, BoxError> {
    let url = Url::parse(address).ok().filter(|url| url.scheme() == "smtp");
    let Some((host, port)) = url.as_ref().and_then(|url| Some((url.host_str()?, url.port()))) else {
        return Err(
            format!("`{address}` is no address of an SMTP server; one is smtp://localhost:1025").into()
        );
    };
    let server =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port.unwrap_or(SMTP_PORT));
    Ok(Arc::new(server.build()))
}

/// Makes a mailer that writes e-mails to a folder, one `.eml` file each.
#[must_use]
pub fn to_folder(folder: &Path) -> Arc<dyn Mailer> {
    Arc::new(AsyncFileTransport::<Tokio1Executor>::new(folder))
}
