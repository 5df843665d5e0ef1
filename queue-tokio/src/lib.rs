//! The in-memory queue, the hosted loop and the host, on tokio.

mod clock;
mod memory;
mod runtime;

pub use clock::TokioClock;
pub use memory::{TokioQueue, TokioQueueBuilder};
pub use runtime::TokioRuntime;
