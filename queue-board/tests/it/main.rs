//! The board: its safety laws by requests to its router, and its pages in a browser.

mod access;
mod browser;
mod changes;
mod charts;
mod cost;
mod fixture;
mod json;
mod limits;
mod pages;
mod privacy;
mod schedules;
mod stores;
