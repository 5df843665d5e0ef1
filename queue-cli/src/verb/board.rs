//! `queue board`: serves the board of a store to the browsers of this machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::Args;
use queue_board::{Access, show_all};
use queue_core::{Admin, CancellationToken};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Serves the board to the browsers of this machine, until Ctrl-C
#[derive(Args, Debug)]
pub(crate) struct Board {
    /// The port on 127.0.0.1; 0 chooses a free one
    #[arg(long, default_value_t = 4180)]
    port: u16,
    /// Permits changes: to retry, cancel, delete and enqueue jobs, and to pause queues
    #[arg(long)]
    allow_changes: bool,
    /// Shows payloads, results, unique keys and values of meta
    #[arg(long)]
    payloads: bool,
}

/// The address of the board.
#[derive(Serialize)]
struct BoardLine {
    url: String,
    changes: bool,
}

impl Board {
    pub(crate) async fn run(self, queue: Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.map_err(|error| {
            let message = format!("could not listen on 127.0.0.1:{}: {error}", self.port);
            Failure::new(Exit::Unavailable, message)
                .help("pass another `--port`, or 0 for a free one".to_owned())
        })?;
        let line =
            BoardLine { url: format!("http://{}/", listener.local_addr()?), changes: self.allow_changes };
        let access = if self.allow_changes { "" } else { ", read-only: --allow-changes permits changes" };
        out.sentence(&line, format_args!("serving the board at {}{access}", line.url))?;
        out.finish()?;

        let stopping = CancellationToken::new();
        let router = self.router(queue, stopping.clone());
        let interrupt = async move {
            // If the handler cannot be installed, the signal ends the process.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            stopping.cancel();
        };
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(interrupt).await?;
        Ok(Exit::Done)
    }

    fn router(&self, queue: Arc<dyn Admin>, stopping: CancellationToken) -> axum::Router {
        let allows_changes = self.allow_changes;
        let board = queue_board::Board::new(queue).until(stopping);
        let board = if self.payloads { board.payloads(show_all) } else { board };
        board
            .access(move |request| match Access::of_this_machine(request) {
                Access::Look if allows_changes => Access::act(operator()),
                access => access,
            })
            .router()
    }
}

/// Returns the user of this process, for the log of changes.
fn operator() -> String {
    std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "queue board".to_owned())
}
