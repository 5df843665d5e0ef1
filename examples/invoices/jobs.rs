//! The jobs, from an order to the webhook, and those of the accountant.

mod bill;
mod close;
mod import;
mod mail;
mod notify;
mod render;

use queue_core::{Jobs, jobs};

pub(crate) use bill::bill_order;
pub(crate) use close::{close_month, send_statement};
pub(crate) use import::import_orders;
pub(crate) use mail::mail_invoice;
pub(crate) use notify::{notify_customer, webhook_limits};
pub(crate) use render::render_invoice;

/// Returns all jobs of the service.
pub(crate) fn all() -> Jobs {
    jobs![
        bill_order,
        render_invoice,
        mail_invoice,
        notify_customer,
        import_orders,
        close_month,
        send_statement
    ]
}
