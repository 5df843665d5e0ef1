//! The rules that the rows of a file keep, and those that are broken.

use queue_core::admin::{Check, Finding, Severity};
use rusqlite::{Connection, Result};

/// A rule of the tables.
struct Rule {
    rule: &'static str,
    /// Selects the rows that break it, each as a text.
    breaches: &'static str,
    cure: &'static str,
}

const BY_HAND: &str =
    "another program has changed the tables: restore the file from a backup, or repair the rows by hand";

/// A job is named by its id in hexadecimal digits.
const RULES: [Rule; 12] = [
    Rule {
        rule: "a job has one of the seven states",
        breaches: "select lower(hex(id)) from queue_jobs where state not between 0 and 6",
        cure: BY_HAND,
    },
    Rule {
        rule: "a job has a time of its state if and only if it is not available",
        breaches: "select lower(hex(id)) from queue_jobs where (state = 1) <> (state_time is null)",
        cure: BY_HAND,
    },
    Rule {
        rule: "the queue of a job exists",
        breaches: "select lower(hex(id)) from queue_jobs where queue_id not in (select queue_id from queue_names)",
        cure: BY_HAND,
    },
    Rule {
        rule: "a job has a payload, in its row or in `queue_payloads`",
        breaches: "select lower(hex(id)) from queue_jobs j where (payload is null) <> (payload_is_external is not null)
            or payload_is_external = 1 and not exists (select 1 from queue_payloads p where p.seq = j.seq)",
        cure: BY_HAND,
    },
    Rule {
        rule: "a payload of `queue_payloads` belongs to a job",
        breaches: "select seq from queue_payloads p where not exists (
            select 1 from queue_jobs j where j.seq = p.seq and j.payload_is_external = 1)",
        cure: "run `delete from queue_payloads where seq not in (select seq from queue_jobs where payload_is_external = 1)`",
    },
    Rule {
        rule: "a failed attempt belongs to a job",
        breaches: "select seq from queue_failures f where not exists (select 1 from queue_jobs j where j.seq = f.seq)",
        cure: "run `delete from queue_failures where seq not in (select seq from queue_jobs)`",
    },
    Rule {
        rule: "a job has at most as many attempts as claims",
        breaches: "select lower(hex(id)) from queue_jobs where attempt > fence",
        cure: "run `update queue_jobs set fence = attempt where attempt > fence`",
    },
    Rule {
        rule: "a job that owns a unique key has one",
        breaches: "select lower(hex(id)) from queue_jobs where owns_unique_key = 1 and unique_key is null",
        cure: "run `update queue_jobs set owns_unique_key = null where unique_key is null`",
    },
    Rule {
        rule: "only a completed job has a result",
        breaches: "select lower(hex(id)) from queue_jobs where result is not null and state <> 4",
        cure: "run `update queue_jobs set result = null where state <> 4`",
    },
    Rule {
        rule: "an available or executing job is counted in the partition that it names",
        breaches: "select lower(hex(id)) from queue_jobs j join queue_names q on q.queue_id = j.queue_id
            where state in (1, 2) and case
                when q.is_shared and exists (select 1 from queue_totals t where t.queue_id = j.queue_id) then not exists (
                    select 1 from queue_partitions p where p.partition_id = j.partition_id and p.queue_id = j.queue_id
                        and p.name = coalesce(j.partition, ''))
                else j.partition_id <> j.queue_id or j.partition is not null end",
        cure: BY_HAND,
    },
    Rule {
        rule: "a partition counts its available and executing jobs",
        breaches: "select p.partition_id from queue_partitions p left join (
                select partition_id, sum(state = 1) as ready, sum(state = 2) as running from queue_jobs
                where state in (1, 2) group by partition_id) j on j.partition_id = p.partition_id
            where p.ready <> coalesce(j.ready, 0) or p.running <> coalesce(j.running, 0)",
        cure: "run `update queue_partitions as p set ready = (select count(*) from queue_jobs j where j.partition_id = \
            p.partition_id and j.state = 1), running = (select count(*) from queue_jobs j where j.partition_id = \
            p.partition_id and j.state = 2)`, then the update for queues as a whole",
    },
    Rule {
        rule: "a shared queue counts the jobs of its partitions",
        breaches: "select t.queue_id from queue_totals t where (t.ready, t.running) <> (
            select coalesce(sum(p.ready), 0), coalesce(sum(p.running), 0) from queue_partitions p where p.queue_id = t.queue_id)",
        cure: "run `update queue_totals as t set (ready, running) = (select coalesce(sum(p.ready), 0), \
            coalesce(sum(p.running), 0) from queue_partitions p where p.queue_id = t.queue_id)`",
    },
];

/// Returns a finding for each rule that rows break, and for each problem that SQLite finds in the file.
pub(super) fn broken_rules(connection: &Connection) -> Result<Vec<Finding>> {
    let mut findings = problems(connection)?;
    for Rule { rule, breaches, cure } in &RULES {
        let count =
            format!("with breach (it) as ({breaches}) select count(*), cast(min(it) as text) from breach");
        let (count, first): (i64, Option<String>) =
            connection.query_row(&count, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let Some(first) = first {
            let what = format!("broken rule: {rule}; breaches: {count}, such as {first}");
            findings.push(Finding::new(Check::Integrity, Severity::Fault, what, *cure));
        }
    }
    Ok(findings)
}

/// Returns the first problems of the pages and indexes.
fn problems(connection: &Connection) -> Result<Vec<Finding>> {
    let mut check = connection.prepare("pragma integrity_check(10)")?;
    let problems = check.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>>>()?;
    let cure = "copy the file, then run `reindex`; if a problem remains, restore the file from a backup";
    let finding = |problem: &String| {
        Finding::new(Check::Integrity, Severity::Fault, format!("the file is damaged: {problem}"), cure)
    };
    Ok(problems.iter().filter(|problem| *problem != "ok").map(finding).collect())
}
