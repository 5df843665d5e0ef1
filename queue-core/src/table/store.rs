//! The storage of the job table: jobs in slots, and the indexes over them. It knows no rule of the contract.
//!
//! It is made for millions of jobs in memory: names are numbers, an identity contains its slot, sets are fast for appends, and
//! memory is released after a burst. It panics if an index and a job's state disagree.

mod calendar_queue;
mod due_jobs;
mod holders;
mod id_map;
mod interner;
mod job;
mod ordered_set;
mod partition_state;
mod partitions;
mod queue_state;
mod reservation;
mod serving_order;
mod shares;

use std::hint::black_box;
use std::ops::{Index, IndexMut};

use slab::Slab;
use smallvec::SmallVec;

use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::name::{JobName, QueueName};
use crate::contract::record::{JobRecord, State};

use due_jobs::DueJobs;
use holders::Holders;
pub(super) use holders::WorkerNumber;
use id_map::IdMap;
use interner::Interner;
pub(super) use job::{Extras, StoredJob};
use ordered_set::OrderedSet;
pub(super) use ordered_set::Position;
pub(super) use queue_state::QueueState;
pub use reservation::Reservation;

/// The place of a job in the storage. It is used again after the job was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

/// All jobs of a table, and their indexes.
///
/// **Invariant:** a job is in exactly one index by its state: `due` if scheduled or retryable, its queue's `ready` if available,
/// `leases` if executing, `finished` if completed, discarded or cancelled.
#[derive(Debug)]
pub(super) struct Store {
    /// `None` in a slot that is reserved.
    jobs: Slab<Option<StoredJob>>,
    reserved: usize,
    /// The number of jobs removed since memory was last released.
    removed: usize,
    /// Whether reserved slots keep memory from being released.
    is_pinned: bool,
    ids: IdMap,
    job_names: Interner<JobName>,
    queue_names: Interner<QueueName>,
    /// The queues, by their numbers.
    queues: Vec<QueueState>,
    /// Scheduled and retryable jobs by the instant at which they become available.
    due: DueJobs,
    /// Executing jobs by the instant at which their lease expires.
    leases: OrderedSet,
    /// The workers that hold them.
    pub(super) holders: Holders,
    /// Finished jobs that are kept, by state, oldest first.
    finished: [OrderedSet; State::ALL.len()],
    /// The numbers of queues whose number of ready jobs may have changed.
    changed: Vec<u32>,
    /// The numbers of the queues with shares.
    shared: Vec<u32>,
}

/// How many jobs are prefetched before the first of them is moved.
const PREFETCH_BATCH: usize = 64;

/// A few jobs that became due.
pub(super) type DueBatch = SmallVec<[Slot; PREFETCH_BATCH]>;

impl Store {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            jobs: Slab::new(),
            reserved: 0,
            removed: 0,
            is_pinned: false,
            ids: IdMap::new(seed),
            job_names: Interner::default(),
            queue_names: Interner::default(),
            queues: Vec::new(),
            due: DueJobs::default(),
            leases: OrderedSet::default(),
            holders: Holders::default(),
            finished: Default::default(),
            changed: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// Returns the slot of a job.
    #[inline]
    pub(super) fn find(&self, id: JobId) -> Option<Slot> {
        self.ids.find(id, |slot| self.job(slot).map(|job| job.id))
    }

    /// Returns all jobs, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &StoredJob)> {
        self.jobs.iter().filter_map(|(slot, job)| Some((slot_at(slot), job.as_ref()?)))
    }

    #[inline]
    fn job(&self, slot: Slot) -> Option<&StoredJob> {
        self.jobs.get(slot.0 as usize)?.as_ref()
    }

    pub(super) fn record(&self, slot: Slot) -> JobRecord {
        let job = &self[slot];
        let mut record = job.record(self.name_of(job), &self.queue_of(job).name);
        record.partition = self.partition_of(job);
        if job.state == State::Executing {
            record.claimed_by = self.holders.id(job.worker).cloned();
        }
        record
    }

    #[inline]
    pub(super) fn name_of(&self, job: &StoredJob) -> &JobName {
        self.job_names.name(job.name)
    }

    /// Returns the name of a number.
    pub(super) fn job_name(&self, number: u32) -> &JobName {
        self.job_names.name(number)
    }

    #[inline]
    pub(super) fn queue_of(&self, job: &StoredJob) -> &QueueState {
        &self.queues[job.queue as usize]
    }

    /// Returns the number of a name, and creates it at the first use.
    #[inline]
    pub(super) fn intern(&mut self, name: &JobName) -> u32 {
        self.job_names.intern(name)
    }

    /// Creates the identity of the next job that is inserted, from its number in push order.
    #[inline]
    pub(super) fn mint_next(&self, sequence: u64) -> JobId {
        self.ids.mint(sequence, slot_at(self.jobs.vacant_key()))
    }

    /// Stores a job that is in no index, and returns its slot. Its identity is that of [`mint_next`](Self::mint_next), or else its
    /// producer has chosen it.
    #[inline]
    pub(super) fn insert(&mut self, job: StoredJob, is_chosen: bool) -> Slot {
        let id = job.id;
        self.count_in_partition(&job, 1);
        let slot = slot_at(self.jobs.insert(Some(job)));
        if is_chosen {
            self.ids.insert(id, slot);
        }
        slot
    }

    /// Reserves a slot for the job with this number in push order.
    pub(super) fn reserve(&mut self, sequence: u64) -> Reservation {
        let slot = slot_at(self.jobs.insert(None));
        self.reserved += 1;
        self.is_pinned = false;
        Reservation { slot, sequence, id: self.ids.mint(sequence, slot) }
    }

    /// Stores a job that is in no index in its reserved slot, which it returns.
    pub(super) fn fill(&mut self, reservation: Reservation, job: StoredJob) -> Slot {
        let slot = reservation.into_slot();
        self.count_in_partition(&job, 1);
        self.jobs[slot.0 as usize] = Some(job);
        self.reserved -= 1;
        slot
    }

    /// Frees a reserved slot.
    pub(super) fn cancel_reservation(&mut self, reservation: &Reservation) {
        let reserved = self.jobs.remove(reservation.slot.0 as usize);
        assert!(reserved.is_none(), "the slot of a reservation has a job");
        self.reserved -= 1;
        if self.reserved == 0 && std::mem::take(&mut self.is_pinned) {
            self.release_memory();
        }
    }

    pub(super) fn reserved(&self) -> usize {
        self.reserved
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.is_pinned
    }

    /// Removes a job that is in no index.
    #[inline]
    pub(super) fn remove(&mut self, slot: Slot) {
        if let Some(job) = self.jobs.remove(slot.0 as usize) {
            self.ids.remove(job.id);
            self.count_in_partition(&job, -1);
        }
        self.removed += 1;
        self.release_memory();
    }

    /// Releases memory after a burst. It does so rarely, so the cost per removal stays constant.
    fn release_memory(&mut self) {
        const WORTH_IT: usize = 4096;
        let (used, capacity) = (self.jobs.len() - self.reserved, self.jobs.capacity());
        let is_mostly_empty = capacity > WORTH_IT && used < capacity / 8;
        if is_mostly_empty && (used == 0 || self.removed >= capacity) {
            if self.reserved > 0 {
                self.is_pinned = true;
                return;
            }
            self.removed = 0;
            self.jobs.shrink_to_fit();
            self.ids.shrink();
        }
    }

    /// Moves a job from the index of its state to that of another.
    #[inline]
    pub(super) fn transition(&mut self, slot: Slot, state: State) {
        self.unlink(slot);
        self.link(slot, state);
    }

    /// Changes the end of the lease of an executing job.
    pub(super) fn move_lease(&mut self, slot: Slot, expires_at: Timestamp) {
        let job = stored_mut(&mut self.jobs, slot);
        let was_there = self.leases.remove(&job.by_state_time(slot));
        assert!(was_there, "the lease of the job {} is missing", job.id);
        job.state_time = expires_at;
        self.leases.insert(job.by_state_time(slot));
    }

    /// Inserts a job that is in no index into that of a state. An executing one was popped, and is counted by its queue already.
    #[inline]
    pub(super) fn link(&mut self, slot: Slot, state: State) {
        let job = stored_mut(&mut self.jobs, slot);
        job.state = state;
        let queue = &mut self.queues[job.queue as usize];
        queue.is_used = true;
        queue.count(state, 1);
        match state {
            State::Scheduled | State::Retryable => self.due.insert(job.queue, job.by_due_time(slot)),
            State::Available => {
                queue.insert_ready(job.partition, job.by_priority(slot));
                note_change(&mut self.changed, queue, job.queue);
            }
            State::Executing => {
                self.holders.count(job.worker, 1);
                self.leases.insert(job.by_state_time(slot));
            }
            State::Completed | State::Discarded | State::Cancelled => {
                self.finished[state as usize].insert(job.by_state_time(slot));
            }
        }
    }

    /// Removes a job from the index of its state.
    #[inline]
    pub(super) fn unlink(&mut self, slot: Slot) {
        let job = stored(&self.jobs, slot);
        let queue = &mut self.queues[job.queue as usize];
        let was_there = match job.state {
            State::Scheduled | State::Retryable => self.due.remove(job.queue, &job.by_due_time(slot)),
            State::Available => {
                note_change(&mut self.changed, queue, job.queue);
                queue.remove_ready(job.partition, &job.by_priority(slot))
            }
            State::Executing => {
                self.holders.count(job.worker, -1);
                if queue.end_running(job.partition) {
                    note_change(&mut self.changed, queue, job.queue);
                }
                self.leases.remove(&job.by_state_time(slot))
            }
            State::Completed | State::Discarded | State::Cancelled => {
                self.finished[job.state as usize].remove(&job.by_state_time(slot))
            }
        };
        assert!(was_there, "the job {} is missing in the index of its state, {}", job.id, job.state);
        queue.count(job.state, -1);
    }

    /// Counts a job as finished in a state without inserting it into the index. For a job that the caller removes at once.
    #[inline]
    pub(super) fn count_finished(&mut self, slot: Slot, state: State) {
        let queue = self[slot].queue;
        self.queues[queue as usize].count(state, 1);
    }

    /// Returns whether a job is due at `now`.
    #[inline]
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due.first().is_some_and(|first| first.at <= now)
    }

    /// Removes the jobs that are due at `now` from their index and returns them, a few at a time; none if no more are due.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> DueBatch {
        let mut batch = DueBatch::new();
        self.due.pop_until(now, &mut batch);
        // Prefetch: these jobs are cold; touch all of them first so that the cache misses overlap.
        black_box(batch.iter().map(|slot| self[*slot].prefetch()).fold(0, |all, one| all ^ one));
        for slot in &batch {
            let job = stored(&self.jobs, *slot);
            self.queues[job.queue as usize].count(job.state, -1);
        }
        batch
    }

    /// Removes and returns the ready job that starts next, unless the queue is paused. The caller links it as executing.
    #[inline]
    pub(super) fn pop_ready(&mut self, number: u32) -> Option<Slot> {
        let queue = &mut self.queues[number as usize];
        if queue.is_paused {
            return None;
        }
        let slot = queue.pop_ready()?.slot;
        queue.count(State::Available, -1);
        note_change(&mut self.changed, queue, number);
        Some(slot)
    }

    /// Returns the first job whose lease has expired at `now`.
    #[inline]
    pub(super) fn first_expired(&self, now: Timestamp) -> Option<Slot> {
        self.leases.first().filter(|first| first.at <= now).map(|first| first.slot)
    }

    /// Returns the earliest due time or lease expiry, or the earliest instant at which a limit lets more jobs start.
    #[inline]
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let due = self.due.first().map(|first| first.at);
        let lease = self.leases.first().map(|first| first.at);
        let shares = self.shared.iter().filter_map(|number| self.queues[*number as usize].next_step());
        due.into_iter().chain(lease).chain(shares).min()
    }

    /// Returns the earliest due time of a queue.
    pub(super) fn next_due_of(&self, queue: u32) -> Option<Timestamp> {
        self.due.first_of(queue).map(|first| first.at)
    }

    /// Returns the job that finished first among those of a state.
    pub(super) fn oldest_finished(&self, state: State) -> Option<Position> {
        self.finished[state as usize].first().copied()
    }

    /// Removes the oldest finished jobs of a state until at most `kept` are left. The counts of their queue keep them.
    pub(super) fn keep_finished(&mut self, state: State, kept: usize) {
        while self.finished[state as usize].len() > kept
            && let Some(oldest) = self.finished[state as usize].pop_first()
        {
            self.remove(oldest.slot);
        }
    }

    /// Returns the number of a queue, if it is known.
    #[inline]
    pub(super) fn find_queue(&self, name: &QueueName) -> Option<u32> {
        self.queue_names.find(name)
    }

    /// Returns the number of a queue, and creates the queue at the first use.
    #[inline]
    pub(super) fn queue_number(&mut self, name: &QueueName) -> u32 {
        let number = self.queue_names.intern(name);
        if number as usize == self.queues.len() {
            self.queues.push(QueueState::new(name.clone()));
        }
        number
    }

    pub(super) fn queue(&self, number: u32) -> &QueueState {
        &self.queues[number as usize]
    }

    pub(super) fn queues(&self) -> &[QueueState] {
        &self.queues
    }

    pub(super) fn set_paused(&mut self, number: u32, paused: bool) {
        let queue = &mut self.queues[number as usize];
        queue.is_used = true;
        queue.is_paused = paused;
        note_change(&mut self.changed, queue, number);
    }

    /// Returns the queues whose number of ready jobs may have changed since the last call, each with the number of jobs that a
    /// claim would find.
    pub(super) fn drain_changed(&mut self) -> impl Iterator<Item = (usize, usize)> {
        let Self { changed, queues, .. } = self;
        for number in &*changed {
            queues[*number as usize].is_changed = false;
        }
        let queues: &[QueueState] = queues;
        changed.drain(..).map(|number| (number as usize, queues[number as usize].deliverable()))
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.jobs.capacity()
    }
}

/// Returns the job in a slot.
///
/// # Panics
///
/// Panics if the slot is vacant or reserved.
impl Index<Slot> for Store {
    type Output = StoredJob;

    #[inline]
    fn index(&self, slot: Slot) -> &StoredJob {
        stored(&self.jobs, slot)
    }
}

impl IndexMut<Slot> for Store {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut StoredJob {
        stored_mut(&mut self.jobs, slot)
    }
}

#[inline]
fn stored(jobs: &Slab<Option<StoredJob>>, slot: Slot) -> &StoredJob {
    jobs[slot.0 as usize].as_ref().unwrap_or_else(|| panic!("the slot {slot:?} has no job"))
}

#[inline]
fn stored_mut(jobs: &mut Slab<Option<StoredJob>>, slot: Slot) -> &mut StoredJob {
    jobs[slot.0 as usize].as_mut().unwrap_or_else(|| panic!("the slot {slot:?} has no job"))
}

#[inline]
fn slot_at(key: usize) -> Slot {
    // The last number marks a tombstone of an index.
    let number = u32::try_from(key).ok().filter(|number| *number < u32::MAX);
    Slot(number.unwrap_or_else(|| panic!("the job table is full: it holds 2^32 - 1 jobs")))
}

#[inline]
fn note_change(changed: &mut Vec<u32>, queue: &mut QueueState, number: u32) {
    if !queue.is_changed {
        queue.is_changed = true;
        changed.push(number);
    }
}
