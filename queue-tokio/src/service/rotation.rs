//! The order in which a claim asks several queues.

use queue_core::QueueName;

/// Puts each queue first in proportion to its weight, as evenly spread as possible.
#[derive(Debug)]
pub(super) struct Rotation(Vec<WeightedQueue>);

#[derive(Debug)]
struct WeightedQueue {
    name: QueueName,
    weight: i64,
    credit: i64,
}

impl Rotation {
    pub(super) fn new(queues: &[(QueueName, u32)]) -> Self {
        let queue = |(name, weight): &(QueueName, u32)| WeightedQueue {
            name: name.clone(),
            weight: i64::from(*weight),
            credit: 0,
        };
        Self(queues.iter().map(queue).collect())
    }

    /// Returns the order for the next claim.
    ///
    /// Each queue gains its weight in credit; the first one pays the total.
    pub(super) fn next(&mut self) -> Vec<QueueName> {
        let total: i64 = self.0.iter().map(|queue| queue.weight).sum();
        for queue in &mut self.0 {
            queue.credit += queue.weight;
        }
        let mut order: Vec<_> = self.0.iter_mut().collect();
        order.sort_by_key(|queue| -queue.credit);
        if let Some(first) = order.first_mut() {
            first.credit -= total;
        }
        order.into_iter().map(|queue| queue.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H20: each queue comes first in proportion to its weight, and none is left out.
    #[test]
    fn queues_come_first_in_proportion_to_their_weights() {
        let mut rotation = Rotation::new(&[("critical".into(), 3), ("default".into(), 1)]);

        let firsts: Vec<_> = (0..8).filter_map(|_| rotation.next().into_iter().next()).collect();

        let critical = firsts.iter().filter(|queue| **queue == "critical").count();
        assert_eq!(critical, 6, "{firsts:?}");
        assert_eq!(firsts.len() - critical, 2, "{firsts:?}");
        assert_eq!(rotation.next().len(), 2, "every claim names every queue");
    }

    /// H20: among several, the least has its share too.
    #[test]
    fn the_least_of_several_queues_comes_first_in_its_turn() {
        let mut rotation = Rotation::new(&[("high".into(), 4), ("middle".into(), 2), ("low".into(), 1)]);

        let firsts: Vec<_> = (0..70).filter_map(|_| rotation.next().into_iter().next()).collect();

        let count = |name: &str| firsts.iter().filter(|queue| **queue == *name).count();
        assert_eq!([count("high"), count("middle"), count("low")], [40, 20, 10]);
    }
}
