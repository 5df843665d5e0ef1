//! The state that the proxy's owner and its tasks share.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Fault;
use super::connection::{Connection, KEPT};

/// The connections, and their faults.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Notified after each change of the state.
    changed: Condvar,
    refuses: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    accepted: u64,
    future: Fault,
    is_listening: bool,
    open: BTreeMap<u64, Open>,
}

struct Open {
    connection: Connection,
    fault: watch::Sender<Fault>,
}

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToServer,
    ToClient,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), refuses: watch::Sender::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes the callers that wait for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_all();
        changed
    }

    pub(super) fn set_future(&self, fault: Fault) {
        self.change(|state| state.future = fault);
    }

    pub(super) fn set_open(&self, fault: Fault, matches: impl Fn(&Connection) -> bool) -> usize {
        self.change(|state| {
            let found = state.open.values_mut().filter(|open| matches(&open.connection));
            let set = found.map(|open| {
                open.connection.fault = fault;
                open.fault.send_replace(fault);
            });
            set.count()
        })
    }

    pub(super) fn refuse(&self, refuses: bool) {
        self.refuses.send_replace(refuses);
    }

    pub(super) fn refusals(&self) -> watch::Receiver<bool> {
        self.refuses.subscribe()
    }

    pub(super) fn set_listening(&self, is_listening: bool) {
        self.change(|state| state.is_listening = is_listening);
    }

    pub(super) fn wait_until_listening(&self, is_listening: bool) {
        let mut state = self.state();
        while state.is_listening != is_listening {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn connections(&self) -> Vec<Connection> {
        self.state().connections()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.state().accepted
    }

    pub(super) fn wait_until(&self, timeout: Duration, is_so: impl Fn(&[Connection]) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.state();
        while !is_so(&state.connections()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        true
    }

    /// Adds a connection. Returns its id and the channel of its faults.
    pub(super) fn open(&self) -> (u64, watch::Receiver<Fault>) {
        self.change(|state| {
            let (id, fault) = (state.accepted, state.future);
            state.accepted += 1;
            let (sender, receiver) = watch::channel(fault);
            let connection = Connection { id, fault, said: Vec::new(), to_server: 0, to_client: 0 };
            state.open.insert(id, Open { connection, fault: sender });
            (id, receiver)
        })
    }

    /// Removes a connection.
    pub(super) fn close(&self, id: u64) {
        self.change(|state| state.open.remove(&id));
    }

    /// Records the first bytes that the client sends.
    pub(super) fn heard(&self, id: u64, bytes: &[u8]) {
        self.change(|state| {
            let Some(open) = state.open.get_mut(&id) else { return };
            let said = &mut open.connection.said;
            let room = KEPT.saturating_sub(said.len()).min(bytes.len());
            said.extend_from_slice(bytes.get(..room).unwrap_or_default());
        });
    }

    /// Counts bytes that were passed on.
    pub(super) fn passed(&self, id: u64, direction: Direction, bytes: usize) {
        self.change(|state| {
            let Some(open) = state.open.get_mut(&id) else { return };
            let count = match direction {
                Direction::ToServer => &mut open.connection.to_server,
                Direction::ToClient => &mut open.connection.to_client,
            };
            *count += bytes as u64;
        });
    }
}

impl State {
    fn connections(&self) -> Vec<Connection> {
        self.open.values().map(|open| open.connection.clone()).collect()
    }
}
