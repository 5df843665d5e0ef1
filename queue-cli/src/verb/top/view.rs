//! Draws the dashboard.

use queue_core::{JobRecord, State, Timestamp};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Table, TableState};

use super::super::status::StatusLine;
use super::dashboard::{Dashboard, Pane};
use crate::instant::short;
use crate::output::{Cell, grouped, state_color};

const KEYS: &str = "Tab pane · ↑↓ select · p pause or resume · c cancel · r retry · q quit";

/// Draws the dashboard on the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, dashboard: &Dashboard) {
    let queues = u16::try_from(dashboard.snapshot().queues.len()).unwrap_or(u16::MAX);
    // The borders, the titles, and at least one row.
    let wanted = queues.min(frame.area().height / 3).max(1) + 3;
    let rows = [
        Constraint::Length(1),
        Constraint::Length(wanted),
        Constraint::Min(4),
        Constraint::Length(1),
        Constraint::Length(1),
    ];
    let [title, top, bottom, footer, keys] = Layout::vertical(rows).areas(frame.area());
    let title_line = Line::from(vec!["queue top  ".bold(), Span::raw(Cell::text(dashboard.store()).text)]);
    frame.render_widget(title_line, title);
    draw_queues(frame, dashboard, top);
    draw_jobs(frame, dashboard, bottom);
    let color = if dashboard.is_stale() { Color::Red } else { Color::Yellow };
    let said = dashboard.footer().map(|text| Cell::text(text).text).unwrap_or_default();
    frame.render_widget(Paragraph::new(said).fg(color), footer);
    frame.render_widget(Line::raw(KEYS).dim(), keys);
}

fn draw_queues(frame: &mut Frame<'_>, dashboard: &Dashboard, area: Rect) {
    let row = |line: StatusLine<'_>| {
        let summary = line.summary();
        let count = |state| {
            let cell = Cell::count(summary.of(state));
            Line::raw(cell.readable().to_owned()).right_aligned()
        };
        Row::new([
            Line::raw(summary.queue.to_string()),
            count(State::Available),
            Line::raw(line.oldest()).right_aligned(),
            count(State::Executing),
            count(State::Retryable),
            count(State::Scheduled),
            count(State::Discarded),
            Line::raw(line.incoming()).right_aligned(),
            Line::raw(line.outgoing()).right_aligned(),
            Line::raw(grouped(summary.workers)).right_aligned(),
            Line::raw(line.note()).fg(Color::Yellow),
        ])
    };
    let titles = [
        "QUEUE",
        "AVAILABLE",
        "OLDEST",
        "EXECUTING",
        "RETRYABLE",
        "SCHEDULED",
        "DISCARDED",
        "IN",
        "OUT",
        "WORKERS",
        "NOTE",
    ];
    let widths = [
        Constraint::Min(8),
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(9),
    ];
    let rows = dashboard.lines().map(row);
    let table = Table::new(rows, widths).header(header(titles));
    let table = table.block(block(" 1 Queues ".to_owned(), dashboard.pane() == Pane::Queues));
    render(frame, table, dashboard.queue_row(), area);
}

fn draw_jobs(frame: &mut Frame<'_>, dashboard: &Dashboard, area: Rect) {
    let snapshot = dashboard.snapshot();
    let marked = |pane, text: String| if dashboard.list() == pane { format!("[{text}]") } else { text };
    let running = marked(Pane::Running, format!("2 Running {}", snapshot.running.len()));
    let failed = marked(Pane::Failed, format!("3 Failed {}", snapshot.failed.len()));
    let now = snapshot.queues.first().map_or(Timestamp::EPOCH, |summary| summary.at);
    let (last, row): (_, fn(&JobRecord, Timestamp) -> [String; 3]) = match dashboard.list() {
        Pane::Failed => (["STATE", "AGO", "ERROR"], failed_cells),
        Pane::Queues | Pane::Running => (["WORKER", "FOR", "PROGRESS"], running_cells),
    };
    let rows = dashboard.jobs().iter().map(|job| {
        let [first, second, third] = row(job, now);
        let state = Style::new().fg(color(job.state));
        let attempt = format!("{}/{}", job.attempt, job.max_attempts);
        let cells = [job.id.to_string(), job.name.to_string(), attempt, first, second, third];
        let [id, name, attempt, first, second, third] = cells.map(|text| Line::raw(Cell::text(text).text));
        Row::new([id, name, attempt.right_aligned(), first.style(state), second.right_aligned(), third])
    });
    let titles = ["ID", "NAME", "ATTEMPT", last[0], last[1], last[2]];
    let widths = [
        Constraint::Length(36),
        Constraint::Fill(2),
        Constraint::Length(7),
        Constraint::Fill(2),
        Constraint::Length(8),
        Constraint::Fill(3),
    ];
    let table = Table::new(rows, widths).header(header(titles));
    let table = table.block(block(format!(" {running}  {failed} "), dashboard.pane() != Pane::Queues));
    render(frame, table, dashboard.job_row(), area);
}

fn running_cells(job: &JobRecord, now: Timestamp) -> [String; 3] {
    let worker = job.claimed_by.as_ref().map(ToString::to_string).unwrap_or_default();
    let since = job.claimed_at.map(|at| short(now.since(at))).unwrap_or_default();
    let progress =
        job.progress.as_ref().map(|progress| format!("{} % {}", progress.percent(), progress.note()));
    let cancelled = job.cancel_reason.as_ref().map(|reason| format!("cancellation requested: {reason}"));
    [worker, since, cancelled.or(progress).unwrap_or_default()]
}

fn failed_cells(job: &JobRecord, now: Timestamp) -> [String; 3] {
    let last = job.errors.last();
    let ago = last.map(|error| short(now.since(error.at))).unwrap_or_default();
    [job.state.to_string(), ago, last.map(|error| error.message.clone()).unwrap_or_default()]
}

fn header<const N: usize>(titles: [&'static str; N]) -> Row<'static> {
    let title = |title| {
        let line = Line::raw(title);
        // The columns of numbers, which are on the right.
        let is_text =
            ["QUEUE", "NOTE", "ID", "NAME", "WORKER", "PROGRESS", "STATE", "ERROR"].contains(&title);
        if is_text { line } else { line.right_aligned() }
    };
    Row::new(titles.map(title)).style(Style::new().add_modifier(Modifier::BOLD))
}

fn block(title: String, is_focused: bool) -> Block<'static> {
    let style = if is_focused { Style::new().fg(Color::Cyan) } else { Style::new().dim() };
    Block::bordered().title(title).border_style(style)
}

/// Draws a table with its selected row in reverse.
fn render(frame: &mut Frame<'_>, table: Table<'_>, selected: Option<usize>, area: Rect) {
    let table = table.row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_stateful_widget(table, area, &mut TableState::default().with_selected(selected));
}

/// Returns the colour of a state, as the other verbs show it.
const fn color(state: State) -> Color {
    match state_color(state) {
        console::Color::Blue => Color::Blue,
        console::Color::Cyan => Color::Cyan,
        console::Color::Yellow => Color::Yellow,
        console::Color::Magenta => Color::Magenta,
        console::Color::Green => Color::Green,
        console::Color::Red => Color::Red,
        _ => Color::White,
    }
}
