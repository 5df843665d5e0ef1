//! `queue top`: the queues and their jobs, live, on the whole screen.
//!
//! One task draws, reads the store, and runs the operator's actions. A thread reads the keys, because a terminal has no
//! asynchronous input.
//!
//! | event | effect |
//! | --- | --- |
//! | the interval passes | the store is read, and the screen is drawn |
//! | a key | the selection moves, or an action runs and the store is read |
//! | the store fails | the screen keeps the last state, with the error below it |

mod action;
mod dashboard;
mod snapshot;
mod view;

use std::io;
use std::time::Duration;

use clap::Args;
use queue_core::Admin;
use queue_core::backend::error_chain;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

use crate::exit::{Exit, Failure};
use crate::flow::Flow;
use crate::instant::duration;
use crate::output::Output;
use dashboard::{Dashboard, Step};
use snapshot::{Snapshot, SnapshotLine};

/// Shows the queues and their jobs live, with keys to pause, cancel and retry
#[derive(Args, Debug)]
pub(crate) struct Top {
    /// How often the store is read
    #[arg(long, value_parser = duration, default_value = "1s")]
    every: Duration,
}

impl Top {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        if out.is_json() {
            return self.print(queue, out).await;
        }
        if !out.is_terminal() {
            let help =
                "`queue status` prints the queues once, and `queue top --json` prints them live".to_owned();
            return Err(Failure::usage("`queue top` needs a terminal").help(help));
        }
        let mut terminal = ratatui::try_init()?;
        let ended = self.show(queue, &mut terminal).await;
        ratatui::try_restore()?;
        ended.map(|()| Exit::Done)
    }

    /// Prints the state as an object in each interval.
    async fn print(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let mut ticks = interval(self.every.max(Duration::from_millis(1)));
        let mut flow = Flow::default();
        loop {
            ticks.tick().await;
            let snapshot = Snapshot::read(queue).await?;
            snapshot.add_to(&mut flow);
            out.object(&SnapshotLine::new(&snapshot, &flow))?;
            out.finish()?;
        }
    }

    /// Shows the dashboard until the operator quits.
    async fn show(self, queue: &dyn Admin, terminal: &mut ratatui::DefaultTerminal) -> Result<(), Failure> {
        let mut dashboard = Dashboard::new(queue.description());
        let mut events = read_events();
        let mut ticks = interval(self.every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => refresh(queue, &mut dashboard).await,
                event = events.recv() => match event {
                    None => return Ok(()),
                    Some(Event::Key(key)) if key.kind == KeyEventKind::Press => match dashboard.press(key) {
                        Step::Quit => return Ok(()),
                        Step::Draw => {}
                        Step::Act(action) => {
                            dashboard.set_note(action.announcement());
                            terminal.draw(|frame| view::draw(frame, &dashboard))?;
                            let done = action.run(queue).await;
                            dashboard.set_note(done.unwrap_or_else(|error| error_chain(&error)));
                            refresh(queue, &mut dashboard).await;
                        }
                    },
                    // Another event, such as a new size of the terminal.
                    Some(_) => {}
                },
            }
            terminal.draw(|frame| view::draw(frame, &dashboard))?;
        }
    }
}

/// Reads the store. If that fails, the dashboard keeps what it shows.
async fn refresh(queue: &dyn Admin, dashboard: &mut Dashboard) {
    match Snapshot::read(queue).await {
        Ok(snapshot) => dashboard.show(snapshot),
        Err(error) => dashboard.set_error(error_chain(&error)),
    }
}

/// Starts the thread that reads the terminal. It ends with the process.
fn read_events() -> UnboundedReceiver<Event> {
    let (sender, events) = unbounded_channel();
    let read = move || -> io::Result<()> {
        while sender.send(event::read()?).is_ok() {}
        Ok(())
    };
    std::thread::spawn(read);
    events
}
