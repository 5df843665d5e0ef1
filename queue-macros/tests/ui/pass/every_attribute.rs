//! M4: every attribute, each in one of its forms.

use queue_core::background_job;

#[background_job(
    name = "mail.welcome",
    alias = ["welcome", "hello"],
    queue = "mail",
    max_attempts = 5,
    timeout = "30s",
    backoff = exponential("1s", "1h"),
    priority = -1,
    unique(key = "user:{user_id}", within = "1h", replace),
    on_discard = alerts::alert,
    crate = ::queue_core,
)]
async fn send_welcome(user_id: u64) {
    let _ = user_id;
}

mod alerts {
    use queue_core::{Discarded, background_job};

    #[background_job]
    pub async fn alert(discarded: &Discarded) {
        println!("{}", discarded.last_error());
    }
}

#[background_job()]
async fn empty_parentheses() {}

#[background_job(cron = "0 3 * * MON", zone = "Europe/Berlin", overlap = "allow", catch_up = "all")]
async fn weekly(#[inject] tick: &queue_core::Tick) {
    println!("{}", tick.at());
}

#[background_job(every = "15m", overlap = "follow", catch_up = "skip")]
async fn often(#[serde(default)] limit: u32) {
    let _ = limit;
}

#[background_job(blocking, unique = "all", alias = "old", backoff = fixed("5s"))]
fn index(documents: Vec<String>) -> Result<(), String> {
    documents.first().map(drop).ok_or_else(|| "no documents".to_owned())
}

fn main() {}
