//! The state of the screen: its content, its selection, and the effect of each key.

use queue_core::{JobId, JobRecord, QueueName, State};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::status::StatusLine;
use super::action::Action;
use super::snapshot::Snapshot;
use crate::flow::Flow;

/// A part of the screen that has a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Queues,
    Running,
    Failed,
}

impl Pane {
    const ALL: [Self; 3] = [Self::Queues, Self::Running, Self::Failed];

    fn next(self, distance: usize) -> Self {
        let index = Self::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        Self::ALL[(index + distance) % Self::ALL.len()]
    }
}

/// The effect of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The screen may have changed.
    Draw,
    /// The action is to be run.
    Act(Action),
    Quit,
}

/// The state of the screen.
#[derive(Debug)]
pub(super) struct Dashboard {
    store: String,
    snapshot: Snapshot,
    flow: Flow,
    pane: Pane,
    /// The list of jobs that is shown: running or failed ones.
    list: Pane,
    /// The selection, by name and id: a refresh that moves a row does not move the selection to another one.
    queue: Option<QueueName>,
    job: Option<JobId>,
    /// The action that waits for the answer to its question.
    asked: Option<Action>,
    note: String,
    error: Option<String>,
}

impl Dashboard {
    pub(super) fn new(store: String) -> Self {
        Self {
            store,
            snapshot: Snapshot::default(),
            flow: Flow::default(),
            pane: Pane::Queues,
            list: Pane::Running,
            queue: None,
            job: None,
            asked: None,
            note: String::new(),
            error: None,
        }
    }

    pub(super) fn store(&self) -> &str {
        &self.store
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns the line of each queue.
    pub(super) fn lines(&self) -> impl Iterator<Item = StatusLine<'_>> {
        self.snapshot.lines(&self.flow)
    }

    pub(super) fn pane(&self) -> Pane {
        self.pane
    }

    pub(super) fn list(&self) -> Pane {
        self.list
    }

    /// Returns the jobs of the list that is shown.
    pub(super) fn jobs(&self) -> &[JobRecord] {
        if self.list == Pane::Failed { &self.snapshot.failed } else { &self.snapshot.running }
    }

    /// Returns the row of the selected queue.
    pub(super) fn queue_row(&self) -> Option<usize> {
        self.snapshot.queues.iter().position(|summary| Some(&summary.queue) == self.queue.as_ref())
    }

    /// Returns the row of the selected job.
    pub(super) fn job_row(&self) -> Option<usize> {
        self.jobs().iter().position(|job| Some(job.id) == self.job)
    }

    /// Returns the line below the tables: the question, the error of the store, or the result of the last action.
    pub(super) fn footer(&self) -> Option<String> {
        let question =
            self.asked.as_ref().and_then(Action::question).map(|question| format!("{question} [y/N]"));
        question
            .or_else(|| self.error.clone())
            .or_else(|| Some(self.note.clone()).filter(|note| !note.is_empty()))
    }

    /// Returns whether the store could not be read the last time.
    pub(super) fn is_stale(&self) -> bool {
        self.error.is_some()
    }

    /// Shows a new state of the store. The selection stays on its queue and its job while they are there.
    pub(super) fn show(&mut self, snapshot: Snapshot) {
        let (queue, job) = (self.queue_row(), self.job_row());
        snapshot.add_to(&mut self.flow);
        self.snapshot = snapshot;
        self.error = None;
        self.select_queue(self.queue_row().or(queue).unwrap_or(0));
        self.select_job(self.job_row().or(job).unwrap_or(0));
    }

    pub(super) fn set_error(&mut self, error: String) {
        self.error = Some(error);
    }

    pub(super) fn set_note(&mut self, note: String) {
        self.note = note;
    }

    /// Selects the queue in a row, or the last one.
    fn select_queue(&mut self, row: usize) {
        let queues = &self.snapshot.queues;
        self.queue = queues.get(row).or(queues.last()).map(|summary| summary.queue.clone());
    }

    /// Selects the job in a row, or the last one.
    fn select_job(&mut self, row: usize) {
        let jobs = self.jobs();
        self.job = jobs.get(row).or(jobs.last()).map(|job| job.id);
    }

    /// Carries out a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Step {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Step::Quit;
        }
        if let Some(action) = self.asked.take() {
            return if key.code == KeyCode::Char('y') { Step::Act(action) } else { Step::Draw };
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Step::Quit,
            KeyCode::Tab => self.focus(self.pane.next(1)),
            KeyCode::BackTab => self.focus(self.pane.next(2)),
            KeyCode::Char('1') => self.focus(Pane::Queues),
            KeyCode::Char('2') => self.focus(Pane::Running),
            KeyCode::Char('3') => self.focus(Pane::Failed),
            KeyCode::Up | KeyCode::Char('k') => self.move_selection(|row| row.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.move_selection(|row| row + 1),
            KeyCode::Home => self.move_selection(|_| 0),
            KeyCode::End => self.move_selection(|_| usize::MAX),
            KeyCode::Char(key) => {
                if let Some(action) = self.action(key) {
                    return self.ask(action);
                }
            }
            _ => {}
        }
        Step::Draw
    }

    fn focus(&mut self, pane: Pane) {
        self.pane = pane;
        if pane != Pane::Queues && pane != self.list {
            self.list = pane;
            self.select_job(0);
        }
    }

    fn move_selection(&mut self, to: impl Fn(usize) -> usize) {
        match self.pane {
            Pane::Queues => self.select_queue(to(self.queue_row().unwrap_or(0))),
            Pane::Running | Pane::Failed => self.select_job(to(self.job_row().unwrap_or(0))),
        }
    }

    /// Returns the action of a key on the selected row.
    fn action(&self, key: char) -> Option<Action> {
        let summary = || self.snapshot.queues.get(self.queue_row()?);
        let job = || self.jobs().get(self.job_row()?);
        match (key, self.pane) {
            ('p', Pane::Queues) => {
                let summary = summary()?;
                let queue = summary.queue.clone();
                Some(if summary.paused { Action::Resume(queue) } else { Action::Pause(queue) })
            }
            ('r', Pane::Queues) => Some(Action::RetryAll(summary()?.queue.clone())),
            ('r', Pane::Failed) => Some(Action::Retry(job()?.id)),
            // A discarded job has ended.
            ('c', Pane::Running | Pane::Failed) => {
                let job = job()?;
                (job.state != State::Discarded).then_some(Action::Cancel(job.id))
            }
            _ => None,
        }
    }

    fn ask(&mut self, action: Action) -> Step {
        if action.question().is_none() {
            return Step::Act(action);
        }
        self.asked = Some(action);
        Step::Draw
    }
}

#[cfg(test)]
mod tests {
    use queue_core::admin::QueueSummary;
    use queue_core::{Body, Timestamp};

    use super::*;

    fn snapshot(queues: &[&str], running: &[u128], failed: &[u128]) -> Snapshot {
        let jobs = |ids: &[u128], state| {
            let job = |id: &u128| {
                let mut job = JobRecord::new(JobId::from_u128(*id), "charge".into(), Body::stored("{}"));
                job.state = state;
                job
            };
            ids.iter().map(job).collect()
        };
        Snapshot {
            queues: queues
                .iter()
                .map(|queue| QueueSummary::new((*queue).into(), false, Timestamp::EPOCH))
                .collect(),
            ended: None,
            running: jobs(running, State::Executing),
            failed: jobs(failed, State::Discarded),
        }
    }

    fn dashboard() -> Dashboard {
        let mut dashboard = Dashboard::new("a store".to_owned());
        dashboard.show(snapshot(&["default", "mail"], &[1, 2], &[3]));
        dashboard
    }

    fn press(dashboard: &mut Dashboard, keys: &str) -> Step {
        keys.chars().fold(Step::Draw, |_, key| dashboard.press(KeyCode::Char(key).into()))
    }

    #[test]
    fn the_selection_stays_on_its_job_when_rows_move() {
        let mut dashboard = dashboard();
        press(&mut dashboard, "2j");
        assert_eq!(dashboard.job_row(), Some(1));

        dashboard.show(snapshot(&["default", "mail"], &[2, 7, 8], &[]));
        assert_eq!(dashboard.job_row(), Some(0));

        dashboard.show(snapshot(&["default", "mail"], &[7, 8], &[]));
        assert_eq!(dashboard.jobs()[dashboard.job_row().unwrap()].id, JobId::from_u128(7));
    }

    #[test]
    fn a_key_acts_on_what_is_selected() {
        let mut dashboard = dashboard();

        assert_eq!(press(&mut dashboard, "jp"), Step::Act(Action::Pause("mail".into())));
        assert_eq!(press(&mut dashboard, "3r"), Step::Act(Action::Retry(JobId::from_u128(3))));
        // A discarded job cannot be cancelled, and no key of a job acts on a queue.
        assert_eq!(press(&mut dashboard, "c"), Step::Draw);
        assert_eq!(press(&mut dashboard, "2p"), Step::Draw);
        assert_eq!(press(&mut dashboard, "q"), Step::Quit);
    }

    #[test]
    fn a_cancellation_is_asked_for_and_any_other_key_drops_it() {
        let mut dashboard = dashboard();

        assert_eq!(press(&mut dashboard, "2c"), Step::Draw);
        assert!(dashboard.footer().unwrap().starts_with("Cancel "));
        assert_eq!(press(&mut dashboard, "n"), Step::Draw);
        assert_eq!(dashboard.footer(), None);
        assert_eq!(press(&mut dashboard, "cy"), Step::Act(Action::Cancel(JobId::from_u128(1))));
    }

    #[test]
    fn an_error_of_the_store_leaves_the_last_state_on_the_screen() {
        let mut dashboard = dashboard();

        dashboard.set_error("the store is away".to_owned());

        assert_eq!(dashboard.footer().as_deref(), Some("the store is away"));
        assert_eq!(dashboard.jobs().len(), 2);
        dashboard.show(Snapshot::default());
        assert!(!dashboard.is_stale());
    }
}
