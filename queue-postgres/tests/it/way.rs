//! A way to the server on which something happens to a call that has a certain word in it.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::fixture::url;

/// The failure of the first call that contains the word.
#[derive(Clone)]
pub(crate) enum Mishap {
    /// It's done, and its answer is lost: the connection breaks.
    LosesAnswer,
    /// It waits until there is a permit.
    Waits(Arc<Semaphore>),
}

/// A way to the server that all tests share.
pub(crate) struct Way {
    folder: TempDir,
    has_happened: Arc<AtomicBool>,
}

impl Way {
    pub(crate) fn new(word: &'static str, mishap: Mishap) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(socket(folder.path()))?;
        let has_happened = Arc::new(AtomicBool::new(false));
        let happens = has_happened.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mishap, happens) = (mishap.clone(), happens.clone());
                tokio::spawn(async move { relay(client, word, &mishap, &happens).await });
            }
        });
        Ok(Self { folder, has_happened })
    }

    pub(crate) fn url(&self) -> String {
        format!("{}host={}", parts().0, self.folder.path().display())
    }

    pub(crate) fn has_happened(&self) -> bool {
        self.has_happened.load(Ordering::SeqCst)
    }
}

/// The server's address without its socket, and the folder of that.
fn parts() -> (String, PathBuf) {
    let url = url();
    let (address, folder) = url.rsplit_once("host=").expect("the server has a socket");
    (address.to_owned(), folder.into())
}

fn socket(folder: &Path) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}

/// Passes on what each says, until the answer that is lost.
async fn relay(mut client: UnixStream, word: &str, mishap: &Mishap, has_happened: &AtomicBool) -> Result<()> {
    let mut server = UnixStream::connect(socket(&parts().1)).await?;
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_to_lose = false;
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let asked = &asked[..length?];
                if asked.is_empty() {
                    return Ok(());
                }
                let has_word = asked.windows(word.len()).any(|words| words == word.as_bytes());
                if has_word && !has_happened.swap(true, Ordering::SeqCst) {
                    match mishap {
                        Mishap::LosesAnswer => is_to_lose = true,
                        Mishap::Waits(permits) => permits.acquire().await.map_err(std::io::Error::other)?.forget(),
                    }
                }
                server.write_all(asked).await?;
            }
            length = server.read(&mut answered) => {
                let length = length?;
                if length == 0 || is_to_lose {
                    return Ok(());
                }
                client.write_all(&answered[..length]).await?;
            }
        }
    }
}
