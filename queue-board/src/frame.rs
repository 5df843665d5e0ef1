//! The frame of each page: its head, its navigation, and the links and buttons within it.

use maud::{DOCTYPE, Markup, html};
use queue_core::{JobId, Timestamp};

use crate::assets;

/// The place of the board, its reader and the time: all that a page needs to be rendered, apart from its content.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The path under which the board is nested, without a slash at its end.
    pub(crate) base: String,
    /// The operator, if the reader may change jobs.
    pub(crate) operator: Option<String>,
    /// The instant of the page.
    pub(crate) now: Timestamp,
    /// Whether this is an update of a page that is open.
    pub(crate) is_live: bool,
}

/// The entries of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Now,
    Jobs,
    Workers,
    Names,
    Limits,
    Schedules,
    Enqueue,
    None,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Now, "/", "Queues"),
        (Self::Jobs, "/jobs", "Jobs"),
        (Self::Workers, "/workers", "Workers"),
        (Self::Names, "/names", "Names"),
        (Self::Schedules, "/schedules", "Schedules"),
        (Self::Limits, "/limits", "Limits"),
        (Self::Enqueue, "/enqueue", "Enqueue"),
    ];
}

impl Frame {
    /// Returns the address of a path of the board.
    pub(crate) fn to(&self, path: &str) -> String {
        match (self.base.as_str(), path) {
            ("", path) => path.to_owned(),
            (base, "/") => base.to_owned(),
            (base, path) => format!("{base}{path}"),
        }
    }

    pub(crate) fn may_act(&self) -> bool {
        self.operator.is_some()
    }

    /// Returns the address of a job.
    pub(crate) fn job(&self, id: JobId) -> String {
        self.to(&format!("/jobs/{id}"))
    }

    /// Renders a button that posts to a path, if the reader may change jobs.
    pub(crate) fn button(&self, path: &str, label: &str, class: &str) -> Markup {
        self.button_with(path, label, class, &[])
    }

    /// Renders a button that posts values to a path, if the reader may change jobs.
    pub(crate) fn button_with(
        &self,
        path: &str,
        label: &str,
        class: &str,
        values: &[(&str, &str)],
    ) -> Markup {
        html! {
            @if self.may_act() {
                form.inline method="post" action=(self.to(path)) {
                    @for (name, value) in values { input type="hidden" name=(name) value=(value); }
                    button class=(class) { (label) }
                }
            }
        }
    }

    /// Renders a whole page.
    pub(crate) fn document(&self, tab: Tab, title: &str, main: &Markup, is_live: bool) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · Queue" }
                    link rel="icon" type="image/svg+xml" href=(self.to(assets::ICON));
                    link rel="stylesheet" href=(self.to(&assets::style_path()));
                    script defer src=(self.to(&assets::script_path())) {}
                }
                body data-base=(self.base) data-now=(self.now.as_micros() / 1000) data-live[is_live] {
                    (self.header(tab, is_live))
                    main #main { (main) }
                    (keys())
                }
            }
        }
    }

    fn header(&self, tab: Tab, is_live: bool) -> Markup {
        html! {
            header.top {
                a.brand href=(self.to("/")) { span.mark aria-hidden="true" {} "Queue" }
                nav aria-label="Pages" {
                    @for (number, (other, path, label)) in (1..).zip(Tab::ALL) {
                        @if other != Tab::Enqueue || self.may_act() {
                            a href=(self.to(path)) data-key=(number) aria-current=[(other == tab).then_some("page")] {
                                (label)
                            }
                        }
                    }
                }
                span.who {
                    @match &self.operator {
                        Some(operator) => span.operator title="You may change jobs." { (operator) },
                        None => span.readonly title="You may look, but not change anything." { "read-only" },
                    }
                    @if is_live { button #live type="button" hidden { "live" } }
                }
            }
            p #trouble .alert role="status" hidden {}
            @if is_live {
                noscript { p.note { "This page updates itself with JavaScript. Without it, reload the page." } }
            }
        }
    }
}

/// Renders the list of keys, which the script opens.
fn keys() -> Markup {
    let keys = [
        ("j k", "next and previous row"),
        ("Enter", "open the row"),
        ("x", "select the row"),
        ("/", "filter"),
        ("1 – 7", "pages"),
        ("u", "back to the list"),
        ("p", "pause or resume the updates"),
        ("?", "this list"),
    ];
    html! {
        dialog #keys aria-label="Keys" {
            h2 { "Keys" }
            dl.pairs { @for (key, does) in keys { dt { kbd { (key) } } dd { (does) } } }
            form method="dialog" { button { "Close" } }
        }
    }
}
