//! A change that an operator has made.

/// A change that an operator has made to jobs or queues. It contains no payload and no value of meta.
///
/// ```
/// use queue_core::OperatorAction;
///
/// let action = OperatorAction::new("ada", "retry", "discarded jobs of the queue `mail`", 12);
///
/// assert_eq!(action.to_string(), "ada: retry, discarded jobs of the queue `mail`, 12 changed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperatorAction {
    /// The operator, as the program that admitted the operator names them.
    pub operator: String,
    /// The action: `retry`, `cancel`, `delete`, `copy`, `enqueue`, `pause` or `resume`.
    pub action: String,
    /// The job, the queue, or a description of the jobs.
    pub target: String,
    /// The number of jobs or queues that were changed.
    pub changed: u64,
}

impl OperatorAction {
    /// Creates the report of a change.
    pub fn new(
        operator: impl Into<String>,
        action: impl Into<String>,
        target: impl Into<String>,
        changed: u64,
    ) -> Self {
        Self { operator: operator.into(), action: action.into(), target: target.into(), changed }
    }
}

/// Writes one line for a log.
impl std::fmt::Display for OperatorAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operator, action, target, changed } = self;
        write!(f, "{operator}: {action}, {target}, {changed} changed")
    }
}
