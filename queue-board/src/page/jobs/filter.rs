//! The filter of the list of jobs. All of it is in the address.

use maud::{Markup, html};
use queue_core::admin::{Order, Sort};

use super::JobList;
use crate::frame::Frame;
use crate::text::badge::heading;
use crate::text::number::count;

/// The keys of the fields that a narrow page hides.
const MORE: [&str; 7] = ["partition", "meta", "id", "unique", "error", "sort", "order"];

/// Renders a link for each state, with the number of its jobs.
pub(super) fn states(frame: &Frame, list: &JobList) -> Markup {
    let query = &list.query;
    html! {
        nav.states #states aria-label="States" {
            a href=(frame.to(&query.path_with("state", None))) aria-current=[query.states().is_empty().then_some("true")] { "All" }
            @for counted in list.counts() {
                @let state = counted.state;
                a class=(state) href=(frame.to(&query.path_with("state", Some(state.as_str())))) aria-current=[query.states().contains(&state).then_some("true")] {
                    (heading(state)) " " span.count { (count(counted.count)) }
                }
            }
        }
    }
}

/// Renders the form. It works by GET, so a filter can be kept as a bookmark and sent to a colleague.
pub(super) fn form(frame: &Frame, list: &JobList) -> Markup {
    let query = &list.query;
    let chosen = |value: bool| value.then_some("");
    html! {
        form.filter #filter method="get" action=(frame.to("/jobs")) {
            @for state in query.states() { input type="hidden" name="state" value=(state); }
            label { span { "Name" } input name="name" value=(query.get("name")) list="names" placeholder="send_welcome" autocomplete="off"; }
            label { span { "Queue" }
                select name="queue" {
                    option value="" { "any" }
                    @for queue in &list.queues { option value=(queue) selected[*queue == *query.get("queue")] { (queue) } }
                    @if !query.get("queue").is_empty() && list.queues.iter().all(|queue| *queue != *query.get("queue")) {
                        option value=(query.get("queue")) selected { (query.get("queue")) }
                    }
                }
            }
            // A narrow page hides the other fields until this box is ticked.
            input #more type="checkbox" checked[MORE.iter().any(|key| !query.get(key).is_empty())];
            label for="more" { "More filters" }
            label.more { span { "Partition" } input name="partition" value=(query.get("partition")) placeholder="acme" autocomplete="off"; }
            label.more { span { "Meta" } input name="meta" value=(query.get("meta")) placeholder="tenant=acme" autocomplete="off"; }
            label.more { span { "Id" } input name="id" value=(query.get("id")) placeholder="0190af3c" autocomplete="off"; }
            label.more { span { "Unique key" } input name="unique" value=(query.get("unique")) autocomplete="off"; }
            label.more { span title="Among the jobs of the page" { "Error on this page" } input name="error" value=(query.get("error")) placeholder="timed out" autocomplete="off"; }
            label.more { span { "Sort" }
                select name="sort" {
                    option value="" { "by state" }
                    @for (sort, label) in [(Sort::Pushed, "pushed"), (Sort::Finished, "finished"), (Sort::RunAt, "run time")] {
                        option value=(sort) selected=[chosen(!query.get("sort").is_empty() && query.sort() == sort)] { (label) }
                    }
                }
            }
            label.more { span { "Order" }
                select name="order" {
                    option value="" { "by sort" }
                    @for (order, label) in [(Order::Newest, "newest first"), (Order::Oldest, "oldest first")] {
                        option value=(order) selected=[chosen(!query.get("order").is_empty() && query.order() == order)] { (label) }
                    }
                }
            }
            div.buttons {
                button.primary { "Filter" }
                @if !query.pairs().is_empty() { a.button href=(frame.to("/jobs")) { "Clear" } }
            }
            @for key in ["pushed_since", "pushed_before", "finished_since", "finished_before"] {
                @if !query.get(key).is_empty() {
                    input type="hidden" name=(key) value=(query.get(key));
                    a.chip href=(frame.to(&query.path_with(key, None))) title="Remove" { (key.replace('_', " ")) " " (query.get(key)) " ×" }
                }
            }
            datalist #names { @for name in &list.names { option value=(name) {} } }
        }
    }
}
