//! A product catalogue that answers at once and does the rest in the background.
//!
//! A form or `POST /products` saves a product and enqueues four pieces of work for it: a closure that resizes its photos,
//! an e-mail, a stock report, and a synchronization with the supplier. Each night a schedule keeps the report of the day.
//! `GET /` shows their progress, and has buttons that
//! retry a discarded job and cancel a waiting one.
//!
//! Reading order: [`jobs`] defines the background work, [`shop`] enqueues it, [`app`] assembles everything.
//! [`queues`] chooses the store of the jobs.
//! The other modules are those of any such service: a [`database`] with its [`transaction`], the [`catalog`] in it,
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
