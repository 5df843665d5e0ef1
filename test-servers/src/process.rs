//! Server processes that end with their owner, and that never run as root.
//!
//! Three processes belong to a server: a shell, the server, and a subshell that watches the owner.
//!
//! | event | effect |
//! | --- | --- |
//! | the owner exits or is killed | the shell's input closes; the watching subshell kills the server, also a paused one |
//! | the server exits | the shell ends, and kills the watching subshell |
//! | `Server::end` | signals the server and waits for the shell |
//!
//! The shell removes the folder only if the owner is gone, because otherwise the owner may start the server again in it. `end`
//! takes the shell's input out of the child first: waiting for a child closes its input, which looks like the end of the owner.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::error::ServerError;

/// Returns a user and a group to run servers as, since servers refuse to run as root: PostgreSQL's own user, or `nobody`.
/// `None` if this process does not run as root.
pub(crate) fn unprivileged_user() -> Option<(u32, u32)> {
    let is_root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let mut fields =
            users.lines().map(|line| line.split(':')).find(|line| line.clone().next() == Some(name))?;
        let (user, group) = (fields.nth(2)?, fields.next()?);
        Some((user.parse().ok()?, group.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody"))
}

/// Changes the owner of a folder to the unprivileged user.
pub(crate) fn chown_to_user(folder: &Path) -> Result<(), ServerError> {
    let changed = unprivileged_user().map_or(Ok(()), |(user, group)| chown(folder, Some(user), Some(group)));
    changed.map_err(ServerError::io(format!("`{}` can't change its owner", folder.display())))
}

/// Prepares a program to run as the unprivileged user.
pub(crate) fn run_as(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = unprivileged_user() {
        command.uid(user).gid(group);
    }
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// A running server, with the shell that ends it when its owner has ended.
#[derive(Debug)]
pub(crate) struct Server {
    shell: Child,
    /// The process id of the server itself.
    pub(crate) id: u32,
    /// The line that said that the server is ready.
    pub(crate) ready: String,
}

/// Starts the server of its arguments, reports its process id, and exits with it. A subshell waits for the end of the owner,
/// then kills the server, also a paused one, and has the folder removed.
const WATCHDOG: &str = r#"
folder=$1; shift
exec 3<&0
"$@" <&- 3<&- & server=$!
echo "process $server" >&2
exec 2>/dev/null
( read -r _ <&3; touch "$folder/.over"; kill -QUIT $server; kill -CONT $server ) & owner=$!
wait $server
kill $owner
if test -e "$folder/.over"; then rm -rf "$folder"; fi
"#;

impl Server {
    /// Starts a server, and waits for the line that says it is ready. `folder` is removed when the owner ends.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        folder: &Path,
        ready: &str,
    ) -> Result<Self, ServerError> {
        let mut command = run_as(Path::new("sh"));
        command.arg("-c").arg(WATCHDOG).arg("watchdog").arg(folder).arg(program).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let spawned = command.spawn();
        let mut shell = spawned.map_err(ServerError::io(format!("`{}` can't be run", program.display())))?;
        let lines = lines(&mut shell);
        let (mut said, mut id) = (String::new(), 0);
        for line in lines {
            if let Some(process) = line.strip_prefix("process ") {
                id = process.parse().unwrap_or(0);
            } else if line.contains(ready) {
                return Ok(Self { shell, id, ready: line });
            } else {
                said.push_str(&line);
                said.push('\n');
            }
        }
        // The output has ended, so the server has exited, and the shell exits too.
        let input = shell.stdin.take();
        drop(shell.wait());
        drop(input);
        Err(ServerError::Failed { program: program.into(), said })
    }

    /// Sends the server and `others` a signal, and waits until the server has exited.
    pub(crate) fn end(mut self, name: &str, others: &[u32]) {
        // Waiting closes the shell's input, which the watchdog takes for the end of the owner.
        let input = self.shell.stdin.take();
        signal(name, &[others, &[self.id]].concat());
        drop(self.shell.wait());
        drop(input);
    }
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Result<(), ServerError> {
    let program = command.get_program().to_owned();
    let output =
        command.output().map_err(ServerError::io(format!("`{}` can't be run", program.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(ServerError::Failed { program: program.into(), said })
}

/// Reads the server's output to its end, so that the server never blocks on a full pipe.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    if let Some(output) = child.stderr.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // After the start there is no receiver.
                drop(sender.send(line));
            }
        });
    }
    lines
}

/// Sends a signal, by name, to processes, some of which may have exited.
pub(crate) fn signal(name: &str, processes: &[u32]) {
    let processes: Vec<_> = processes.iter().map(u32::to_string).collect();
    drop(
        Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", processes.join(" ")))
            .stderr(Stdio::null())
            .status(),
    );
}

/// Sets processes to normal priority, if the system allows it.
pub(crate) fn set_normal_priority(processes: &[u32]) {
    let mut renice = Command::new("renice");
    // Without `-n`, the number is the priority and not a difference, on each system.
    renice.args(["0", "-p"]).args(processes.iter().map(u32::to_string));
    drop(renice.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
}

/// Returns the living children of a process.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let output = Command::new("ps").args(["-A", "-o", "ppid=,pid=,state="]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let living = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (its_parent, child, state) = (words.next()?, words.next()?, words.next()?);
        // A process that has exited is listed until its parent waits for it.
        (!state.starts_with('Z') && its_parent.parse() == Ok(parent)).then(|| child.parse().ok())?
    });
    living.collect()
}
