//! Sends e-mails to an SMTP server, or writes them to a folder.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use lettre::transport::smtp::SMTP_PORT;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use queue_core::BoxError;
use reqwest::Url;

/// Sends e-mails; jobs inject it as `#[inject] mailer: &dyn Mailer`.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends an e-mail. Returns when the server or the folder has accepted it.
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

/// Creates a mailer that sends e-mails to a local server, without encryption: `smtp://localhost:1025`.
///
/// # Errors
///
/// The address is not of that form.
pub fn to_server(address: &str) -> Result<Arc<dyn Mailer>, BoxError> {
    let url = Url::parse(address).ok().filter(|url| url.scheme() == "smtp");
    let Some((host, port)) = url.as_ref().and_then(|url| Some((url.host_str()?, url.port()))) else {
        return Err(format!(
            "`{address}` is not the address of an SMTP server: write one like smtp://localhost:1025"
        )
        .into());
    };
    let server =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port.unwrap_or(SMTP_PORT));
    Ok(Arc::new(server.build()))
}

/// Creates a mailer that writes e-mails to a folder, one `.eml` file each.
#[must_use]
pub fn to_folder(folder: &Path) -> Arc<dyn Mailer> {
    Arc::new(AsyncFileTransport::<Tokio1Executor>::new(folder))
}
