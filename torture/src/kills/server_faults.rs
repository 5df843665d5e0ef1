//! Faults of the server and of the fleet's connections to it, which all pass through a proxy.

use std::time::Duration;

use fastrand::Rng;
use queue_core::BoxError;
use test_servers::{Fault, Postgres, Proxy};
use tokio::time::sleep;

use crate::queue::Location;
use crate::report::Report;

/// A server, and the proxy in front of it.
pub(super) struct ServerFaults<'a> {
    pub(super) server: &'a Postgres,
    proxy: Proxy,
    encoding: &'static str,
    events: [u32; EVENTS.len()],
}

/// The faults, as the report names them.
const EVENTS: [&str; 6] = [
    "kills of the server",
    "listeners that died silently",
    "times all connections were half-open",
    "times all connections were reset",
    "times the network was slow",
    "times the server stood still",
];

impl<'a> ServerFaults<'a> {
    /// Creates a database, sometimes in an encoding that lacks most characters, and a proxy in front of it.
    pub(super) fn new(server: &'a Postgres, random: &mut Rng) -> Result<(Self, Location), BoxError> {
        let encoding = if random.bool() { "LATIN1" } else { "UTF8" };
        let location = Location::Database(server.create_database("world", encoding)?);
        let proxy = Proxy::to_postgres(server)?;
        Ok((Self { server, proxy, encoding, events: [0; EVENTS.len()] }, location))
    }

    /// Returns the location that the fleet uses.
    pub(super) fn proxied(&self) -> Location {
        Location::Database(self.proxy.url("world"))
    }

    /// Kills the server, and starts it again.
    pub(super) async fn kill_server(&mut self, random: &mut Rng) -> Result<(), BoxError> {
        self.server.kill();
        // The server is down for a while, sometimes longer than a call is repeated.
        sleep(Duration::from_millis(random.u64(0..1_000))).await;
        self.server.restart()?;
        let [kills, ..] = &mut self.events;
        *kills += 1;
        Ok(())
    }

    /// Injects one fault, and waits until it is over.
    pub(super) async fn inject(&mut self, random: &mut Rng) -> Result<(), BoxError> {
        let event = random.usize(0..EVENTS.len());
        let length = Duration::from_millis(random.u64(0..1_000));
        match event {
            0 => return self.kill_server(random).await,
            1 => {
                // The fault lasts as long as the processes of these connections live.
                self.proxy.set_matching(|connection| connection.has_said("listen "), Fault::HalfOpen);
            }
            2 => {
                self.proxy.set_all(Fault::HalfOpen);
                sleep(length * 3).await;
                // Half of the time the connections continue, otherwise they are reset.
                self.proxy.set_open(if random.bool() { Fault::Pass } else { Fault::Reset });
                self.proxy.set_future(Fault::Pass);
            }
            3 => self.proxy.set_open(Fault::Reset),
            4 => {
                let delay = Fault::Delay(Duration::from_millis(random.u64(1..50)));
                // Connections that are half-open stay half-open.
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

    /// Clears the faults of all connections.
    pub(super) fn clear(&self) {
        self.proxy.set_all(Fault::Pass);
    }

    pub(super) fn add_to(&self, report: Report) -> Report {
        let report = report.row("encoding of the database", self.encoding);
        EVENTS.iter().zip(self.events).fold(report, |report, (event, count)| report.row(*event, count))
    }
}
