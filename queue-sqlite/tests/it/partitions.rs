//! Partitions and limits: the queue deals as the job table does, keeps its counts, and wakes claims.

mod compare;
mod enqueue;
mod files;
mod wakes;
