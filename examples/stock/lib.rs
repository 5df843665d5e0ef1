//! A product catalogue that answers at once and leaves the rest to the background.
//!
//! `POST /products` saves a product and enqueues four pieces of work for it: a closure that handles it for a while, an
//! e-mail, a report of the stock, and a sync with the supplier. `GET /` shows how far they are.
//!
//! Where to read on: [`jobs`] is what runs in the background, [`shop`] enqueues it, [`app`] puts everything together.
//! Where jobs are kept is chosen in [`queues`].
//! The rest is what a service of this kind has anyway: a [`database`] with its [`transaction`], the [`catalog`] in it,
//! a [`mailer`], a [`report`], a [`supplier`], the [`web`], and the [`demo`] which imports a CSV file and waits.

pub mod app;
pub mod catalog;
pub mod data_dir;
pub mod database;
pub mod demo;
pub mod http;
pub mod import;
pub mod jobs;
pub mod mailer;
pub mod product;
pub mod queues;
pub mod report;
pub mod settings;
pub mod shop;
pub mod supplier;
pub mod tally;
pub mod transaction;
pub mod web;
