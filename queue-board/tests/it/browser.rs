//! The board in a browser: a server with a board and a service, and one headless Chromium for all tests.

mod acting;
mod listing;
mod refusing;
mod scheduling;
mod session;
