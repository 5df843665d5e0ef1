//! What the world does to the connections of the fleet, which all lead through a proxy.

use std::time::Duration;

use fastrand::Rng;
use queue_core::BoxError;
use test_servers::{Fault, Postgres, Proxy};
use tokio::time::sleep;

use crate::queue::Location;
use crate::report::Report;

/// A server, and the way to it.
pub(super) struct ServerFaults<'a> {
    pub(super) server: &'a Postgres,
    proxy: Proxy,
    encoding: &'static str,
    events: [u32; EVENTS.len()],
}

/// The events, as they are reported.
const EVENTS: [&str; 6] = [
    "kills of the server",
    "listeners that died silently",
    "times all connections were half-open",
    "times all connections were reset",
    "times the network was slow",
    "times the server stood still",
];

impl<'a> ServerFaults<'a> {
    /// Makes a database, in an encoding that lacks most characters now and then, and a proxy before it.
    pub(super) fn new(server: &'a Postgres, random: &mut Rng) -> Result<(Self, Location), BoxError> {
        let encoding = if random.bool() { "LATIN1" } else { "UTF8" };
        let location = Location::Database(server.create_database("world", encoding)?);
        let proxy = Proxy::to_postgres(server)?;
        Ok((Self { server, proxy, encoding, events: [0; EVENTS.len()] }, location))
    }

    /// Returns the place as the fleet reaches it.
    pub(super) fn by_proxy(&self) -> Location {
        Location::Database(self.proxy.url("world"))
    }

    /// Lets one event happen, and waits until it's over.
    pub(super) async fn strike(&mut self, random: &mut Rng) -> Result<(), BoxError> {
        let event = random.usize(0..EVENTS.len());
        let length = Duration::from_millis(random.u64(0..1_000));
        match event {
            0 => {
                self.server.kill();
                // It's away for a while, at times too long for calls to be repeated within one.
                sleep(length).await;
                self.server.restart()?;
            }
            1 => {
                // For as long as their processes live.
                self.proxy.set_matching(|connection| connection.has_said("listen "), Fault::HalfOpen);
            }
            2 => {
                self.proxy.set_all(Fault::HalfOpen);
                sleep(length * 3).await;
                // Half of the time the connections come back, otherwise they were lost.
                self.proxy.set_open(if random.bool() { Fault::Pass } else { Fault::Reset });
                self.proxy.set_future(Fault::Pass);
            }
            3 => self.proxy.set_open(Fault::Reset),
            4 => {
                let delay = Fault::Delay(Duration::from_millis(random.u64(1..50)));
                // What is silent stays so.
                self.proxy.set_matching(|connection| connection.fault() == Fault::Pass, delay);
                sleep(length).await;
                self.proxy.set_matching(|connection| connection.fault() == delay, Fault::Pass);
            }
            _ => {
                self.server.pause();
                sleep(length).await;
                self.server.resume();
            }
        }
        if let Some(count) = self.events.get_mut(event) {
            *count += 1;
        }
        Ok(())
    }

    /// Lets everything pass again.
    pub(super) fn calm(&self) {
        self.proxy.set_all(Fault::Pass);
    }

    pub(super) fn add_to(&self, report: Report) -> Report {
        let report = report.row("encoding of the database", self.encoding);
        EVENTS.iter().zip(self.events).fold(report, |report, (event, count)| report.row(*event, count))
    }
}
