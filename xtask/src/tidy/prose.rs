//! The number of lines of prose with a habit that keeps strangers out: it may only fall.
//!
//! A pattern finds words, not mistakes: some of the lines are fine. The number says whether the whole gets better.

use std::collections::HashSet;
use std::process::Command;

use super::Problem;
use super::files::{File, regex};

/// Holds the number that is allowed.
const ALLOWED: &str = "xtask/prose-habits.txt";

/// A part that is being rewritten, tables that a program writes, and this file.
const EXCLUDED: [&str; 3] = ["queue-tokio/src/service", "bench/RESULTS", "xtask/src/tidy/prose.rs"];

/// The habits, each with what it hides.
const HABITS: [&str; 8] = [
    // Who acts.
    r"\b([Ww]hoever|[Ww]hatever|[Ss]omebody|[Nn]obody|[Ee]verybody|[Ww]ho is)\b",
    r"\b(those|everyone|anybody|one) who\b",
    r"\b([Ii]t's|[Ii]t is|is|are|was) (looked|told|waited|asked|seen to)\b",
    // Which number.
    r"\bso (many|long|often|much|few)\b( [^a]| a[^s]|[^ ]|$)",
    // What the subject is.
    r"^\W*(What|Where|Who)\b [a-z]",
    // What a function does, in the words of the standard library.
    r"\bHas [a-z ]+ (done|made|told|stored|settled|run|looks?|looked|wakes?)\b|///\s*(Gives|Tells|Makes|Has|Lets|Says|Sees)\b",
    // The word of the field: return, release, poll, start, yield, hold.
    r"\b(anew|gives? (it |them |up |back)|given back|lets? go|in hand|comes? to hand|goes by|give way)",
    r"\b([Ll]ooks? (for|at|again)|a look|all the same|nevertheless|in doubt)\b",
];

/// Fails if more lines have a habit than are allowed, and lists those that are new.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    check_with(files, lines_since)
}

/// `lines_since` returns the lines that were added since a file was last committed.
fn check_with(files: &[File], lines_since: fn(&str) -> Option<HashSet<String>>) -> Vec<Problem> {
    let allowed = files.iter().find(|file| file.path == ALLOWED);
    let Some(allowed) = allowed.and_then(|file| file.text.trim().parse::<usize>().ok()) else {
        return vec![Problem::new(ALLOWED, 1, "the number of lines with a habit is missing")];
    };
    let habits = habits(files);
    let count = habits.len();
    if count < allowed {
        println!("{ALLOWED}:1: only {count} lines of prose have a habit now: write this number there");
    }
    if count <= allowed {
        return Vec::new();
    }
    let new = lines_since(ALLOWED);
    let is_new = |line: &str| new.as_ref().is_none_or(|new| new.contains(line));
    let listed = habits.into_iter().filter(|(line, _)| is_new(line)).map(|(_, problem)| problem);
    let message = format!("{count} lines have a habit and {allowed} are allowed: rewrite those that are new");
    listed.chain([Problem::new(ALLOWED, 1, message)]).collect()
}

/// Asks git for the lines added since `path` was last committed; all lines are new without it.
fn lines_since(path: &str) -> Option<HashSet<String>> {
    let git = |arguments: &[&str]| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let commit = git(&["log", "-1", "--format=%H", "--", path])?;
    let diff = git(&["diff", "-U0", commit.trim()])?;
    Some(diff.lines().filter_map(|line| Some(line.strip_prefix('+')?.to_owned())).collect())
}

/// Returns each line of prose with a habit, and what to say of it.
fn habits(files: &[File]) -> Vec<(&str, Problem)> {
    let habit = regex(&HABITS.join("|"));
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| !EXCLUDED.iter().any(|excluded| file.path.starts_with(excluded))) {
        for (number, line) in file.lines() {
            if let Some(found) = prose(&file.path, line).and_then(|prose| habit.find(prose)) {
                let message = format!("`{}`: {}", found.as_str(), line.trim());
                problems.push((line, Problem::new(&file.path, number, message)));
            }
        }
    }
    problems
}

/// Returns the prose of a line, the mark of a comment included.
fn prose<'a>(path: &str, line: &'a str) -> Option<&'a str> {
    let (_, extension) = path.rsplit_once('.')?;
    let mark = match extension {
        "rs" => "//",
        "sql" => "--",
        "md" => return (!line.starts_with("|---")).then_some(line),
        _ => return None,
    };
    let at = line.find(mark).filter(|&at| !line[..at].ends_with(':'))?;
    line.get(at..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn found(allowed: &str, path: &str, text: &str) -> Vec<String> {
        places(|files| check_with(files, |_| None), &[(ALLOWED, allowed), (path, text)])
    }

    #[test]
    fn each_habit_is_found_in_prose() {
        for habit in [
            "/// Whoever asks gets it.",
            "// Nobody waits.",
            "// A batch is for those who wait.",
            "let a = 1; // It's looked every second.",
            "/// Waits for so long at most.",
            "/// What has ended.",
            "/// Has the next insert wake it.",
            "/// Gives the name.",
            "/// Tells whether it ended.",
            "// The job is in hand.",
            "// Looks for jobs.",
        ] {
            assert_eq!(found("0", "a.rs", habit), ["a.rs:1", "xtask/prose-habits.txt:1"], "{habit}");
        }
        assert_eq!(found("0", "a.md", "Somebody waits.").len(), 2);
        assert_eq!(found("0", "a.sql", "select 1; -- Nobody waits.").len(), 2);
    }

    #[test]
    fn plain_prose_code_and_excluded_files_have_none() {
        let plain = "/// Returns as soon as so many as `n` end.\nlet nobody = \"http://whoever\";";
        assert_eq!(found("0", "a.rs", plain), [""; 0]);
        assert_eq!(found("0", "queue-tokio/src/service.rs", "// Nobody waits."), [""; 0]);
    }

    #[test]
    fn the_number_may_fall_but_not_rise_and_has_to_be_there() {
        assert_eq!(found("1", "a.rs", "// Nobody waits."), [""; 0]);
        assert_eq!(found("2", "a.rs", "// Nobody waits."), [""; 0]);
        assert_eq!(found("1", "a.rs", "// Nobody waits.\n// Nobody asks.").len(), 3);
        assert_eq!(found("many", "a.rs", ""), ["xtask/prose-habits.txt:1"]);
    }

    #[test]
    fn only_new_lines_are_listed_if_git_knows_them() {
        let files = [(ALLOWED, "1"), ("a.rs", "// Nobody waits.\n// Nobody asks.")];
        let rule =
            |files: &[File]| check_with(files, |_| Some(HashSet::from(["// Nobody asks.".to_owned()])));

        assert_eq!(places(rule, &files), ["a.rs:2", "xtask/prose-habits.txt:1"]);
    }
}
