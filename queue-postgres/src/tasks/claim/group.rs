//! The waiting claims that are sent to the server as one.
//!
//! A claim of a shared queue chooses among its partitions, which takes as long for a few jobs as for many. So the claims that want
//! jobs of the same queue on the same terms are sent as one, and then share its jobs.

use std::vec::IntoIter;

use queue_core::{Delivery, Demand};

/// Consecutive claims that are sent as one.
pub(super) struct ClaimGroup<'c> {
    members: Vec<&'c Demand>,
}

impl<'c> ClaimGroup<'c> {
    /// Groups claims, in their order.
    pub(super) fn of(claims: impl IntoIterator<Item = &'c Demand>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for demand in claims {
            match groups.last_mut() {
                Some(group) if has_same_terms(group.demand(), demand) => group.members.push(demand),
                _ => groups.push(Self { members: vec![demand] }),
            }
        }
        groups
    }

    /// Returns what all members have in common: the queues, the length of the leases, the worker and the job to store on a discard.
    pub(super) fn demand(&self) -> &'c Demand {
        self.members[0]
    }

    /// Returns the maximum number of jobs.
    pub(super) fn max(&self) -> usize {
        self.sum(|demand| demand.max)
    }

    /// Returns the maximum number of jobs from queues with limits; `None` sets no other maximum than [`max`](Self::max).
    pub(super) fn startable(&self) -> Option<usize> {
        self.demand().startable.map(|_| self.sum(|demand| demand.max_from(true)))
    }

    fn sum(&self, of: impl Fn(&Demand) -> usize) -> usize {
        self.members.iter().fold(0, |sum, demand| sum.saturating_add(of(demand)))
    }

    /// Returns the jobs of each member. In their order, the members first get the jobs that they can start at once, then the others.
    pub(super) fn share_out(&self, jobs: Vec<Delivery>) -> Vec<Vec<Delivery>> {
        let mut shares: Vec<Vec<Delivery>> = self.members.iter().map(|_| Vec::new()).collect();
        let mut jobs = jobs.into_iter();
        self.fill(&mut shares, &mut jobs, |demand| demand.max_from(true));
        self.fill(&mut shares, &mut jobs, |demand| demand.max);
        shares
    }

    fn fill(
        &self,
        shares: &mut [Vec<Delivery>],
        jobs: &mut IntoIter<Delivery>,
        max: impl Fn(&Demand) -> usize,
    ) {
        for (share, demand) in shares.iter_mut().zip(&self.members) {
            let room = max(demand).saturating_sub(share.len());
            share.extend(jobs.take(room));
        }
    }
}

/// Returns whether two claims can be sent as one. Claims of several queues are not: how many jobs one takes from a queue depends on
/// how many it found in those before.
fn has_same_terms(one: &Demand, other: &Demand) -> bool {
    one.queues.len() == 1
        && one.queues == other.queues
        && one.lease == other.lease
        && one.worker == other.worker
        && one.on_discard == other.on_discard
        && one.startable.is_some() == other.startable.is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use queue_core::backend::JobValues;
    use queue_core::{Body, Fence, JobId, Lease, QueueName, Timestamp};

    use super::*;

    fn sizes(claims: &[Demand]) -> Vec<(usize, Option<usize>)> {
        ClaimGroup::of(claims).iter().map(|group| (group.max(), group.startable())).collect()
    }

    fn jobs(count: u128) -> Vec<Delivery> {
        let job = |number| {
            let values = JobValues {
                id: JobId::from_u128(number),
                queue: QueueName::from("mail"),
                name: "job".into(),
                body: Body::stored("null"),
                meta: Default::default(),
                attempt: 1,
                max_attempts: 1,
                priority: 0,
                pushed_at: 0,
                run_at: 0,
            };
            let lease = Lease::new(values.id, Fence(1), Duration::from_secs(1), Timestamp::EPOCH);
            Delivery::new(values.into_record(), lease)
        };
        (0..count).map(job).collect()
    }

    #[test]
    fn claims_of_one_queue_on_the_same_terms_are_sent_as_one() {
        let mail = || Demand::new("mail", 10).startable(2);

        assert_eq!(sizes(&[mail(), mail()]), [(20, Some(4))]);
        assert_eq!(
            sizes(&[mail(), Demand::new("mail", 1).startable(7)]),
            [(11, Some(3))],
            "no more than its maximum"
        );
        assert_eq!(sizes(&[mail(), Demand::new("bills", 10), mail()]).len(), 3, "they are not consecutive");
        assert_eq!(sizes(&[mail(), Demand::new("mail", 10)]).len(), 2, "one has no maximum for limits");
        assert_eq!(sizes(&[mail(), mail().worker("w")]).len(), 2);
        assert_eq!(sizes(&[mail(), mail().lease(Duration::from_secs(1))]).len(), 2);
        let both = || Demand::of(["mail", "bills"].map(QueueName::from), 10);
        assert_eq!(sizes(&[both(), both()]).len(), 2);
    }

    /// H95: no member gets more jobs of a queue with limits than it can start, and a plain queue's jobs are prefetched.
    #[test]
    fn members_first_get_what_they_can_start() {
        let claims = [Demand::new("mail", 10).startable(2), Demand::new("mail", 10).startable(3)];
        let groups = ClaimGroup::of(&claims);

        for (found, shares) in [(1, [1, 0]), (4, [2, 2]), (5, [2, 3]), (12, [9, 3]), (20, [10, 10])] {
            let counts: Vec<_> = groups[0].share_out(jobs(found)).iter().map(Vec::len).collect();
            assert_eq!(counts, shares, "of {found} jobs");
        }
    }
}
