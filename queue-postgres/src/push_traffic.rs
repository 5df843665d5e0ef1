//! The number of pushes under way, by which a push finds out whether it is alone.
//!
//! # Shared state
//!
//! A counter and a flag, both atomic. They only decide which way a push takes. Either way is right at any time, so no
//! order between them is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts the pushes that are under way.
#[derive(Default)]
pub(crate) struct PushTraffic {
    under_way: AtomicUsize,
    /// Whether the last push found another one under way.
    is_busy: AtomicBool,
}

/// A push that counts as under way until this is dropped.
pub(crate) struct UnderWay(Arc<PushTraffic>);

impl PushTraffic {
    /// Counts a push. Returns also whether it is lone: neither this push nor the one before it found another under way.
    ///
    /// Many callers that share statements call again at the same moment, when their answers arrive. The first of them finds
    /// no other push, and the others find the first one.
    pub(crate) fn begin(self: &Arc<Self>) -> (UnderWay, bool) {
        let finds_other = self.under_way.fetch_add(1, Ordering::Relaxed) > 0;
        let was_busy = self.is_busy.swap(finds_other, Ordering::Relaxed);
        (UnderWay(self.clone()), !finds_other && !was_busy)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_lone_if_it_and_the_one_before_it_find_no_other() {
        let traffic = Arc::new(PushTraffic::default());
        let (first, is_lone) = traffic.begin();
        assert!(is_lone, "the first push");
        drop(first);

        let (second, is_lone) = traffic.begin();
        assert!(is_lone, "a push after a lone one");
        let (third, is_lone) = traffic.begin();
        assert!(!is_lone, "a push beside another");
        drop((second, third));

        assert!(!traffic.begin().1, "a push after one that was not alone");
        assert!(traffic.begin().1, "the push after that");
    }
}
