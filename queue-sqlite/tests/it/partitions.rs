//! Partitions and limits: the queue deals as the job table does, and keeps its counts.

mod compare;
