//! Holds the application to what it promises: clear answers, work that is done once, and a demo that ends well.

mod answers;
mod crashes;
mod demo;
mod folder;
mod import;
mod jobs;
mod killed;
mod shop;
mod transaction;
