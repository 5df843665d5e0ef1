//! Starts, kills and restarts the processes of the load.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use queue_core::BoxError;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::queue::Location;

const PRODUCERS: usize = 3;
const WORKERS: usize = 4;
const APPLICATIONS: usize = 2;

/// The time limit for a process to end after a request to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The work of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Producer,
    Worker,
    Application,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Worker => "worker",
            Self::Application => "application",
        }
    }
}

/// All living processes, and the journals of all processes that ever lived.
#[derive(Debug)]
pub(super) struct Fleet {
    folder: PathBuf,
    location: Location,
    has_limits: bool,
    members: Vec<Member>,
    journals: Vec<PathBuf>,
    killed: Vec<Kind>,
    killed_all: u32,
    stopped: u32,
}

/// A process. It ends when its standard input closes, so it never outlives the driver.
#[derive(Debug)]
struct Member {
    kind: Kind,
    child: Child,
    journal: PathBuf,
}

impl Fleet {
    /// Starts all processes at once on an empty store, in which limits may bind the load's queue.
    pub(super) fn start(
        folder: &Path,
        location: &Location,
        has_limits: bool,
        random: &mut Rng,
    ) -> Result<Self, BoxError> {
        let mut fleet = Self {
            folder: folder.to_owned(),
            location: location.clone(),
            has_limits,
            members: Vec::new(),
            journals: Vec::new(),
            killed: Vec::new(),
            killed_all: 0,
            stopped: 0,
        };
        let kinds = [(Kind::Producer, PRODUCERS), (Kind::Worker, WORKERS), (Kind::Application, APPLICATIONS)];
        for kind in kinds.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count)) {
            fleet.launch(kind, None, random)?;
        }
        Ok(fleet)
    }

    /// Fails if a process has ended without being killed.
    pub(super) fn check(&mut self) -> Result<(), BoxError> {
        for member in &mut self.members {
            if let Some(status) = member.child.try_wait()? {
                return Err(member.failure(&status.to_string()));
            }
        }
        Ok(())
    }

    /// Kills a process and starts another in its place. Some workers are stopped by SIGTERM instead, as in a rolling deployment.
    pub(super) async fn kill_one(&mut self, random: &mut Rng) -> Result<(), BoxError> {
        let victim = self.members.swap_remove(random.usize(0..self.members.len()));
        if victim.kind == Kind::Worker && random.u32(0..3) == 0 {
            return self.roll(victim, random).await;
        }
        self.replace(vec![victim], random).await
    }

    /// Starts a new worker, then stops the old one by SIGTERM.
    async fn roll(&mut self, mut worker: Member, random: &mut Rng) -> Result<(), BoxError> {
        self.launch(Kind::Worker, None, random)?;
        let id = worker.child.id().ok_or_else(|| worker.failure("no one having stopped it"))?;
        kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM)?;
        let Ok(status) = timeout(PATIENCE, worker.child.wait()).await else {
            return Err(worker.failure("a timeout after SIGTERM"));
        };
        let status = status?;
        // A worker that had not yet installed its signal handler is killed by the signal.
        if !status.success() && status.signal() != Some(Signal::SIGTERM as i32) {
            return Err(worker.failure(&status.to_string()));
        }
        self.stopped += 1;
        Ok(())
    }

    /// Kills all processes, so that no process of the load has the file open, and starts as many again.
    pub(super) async fn kill_all(&mut self, random: &mut Rng) -> Result<(), BoxError> {
        let victims = std::mem::take(&mut self.members);
        self.killed_all += 1;
        self.replace(victims, random).await
    }

    async fn replace(&mut self, mut victims: Vec<Member>, random: &mut Rng) -> Result<(), BoxError> {
        for victim in &mut victims {
            victim.child.start_kill()?;
        }
        for mut victim in victims {
            victim.child.wait().await?;
            self.killed.push(victim.kind);
            let is_repeated = victim.kind == Kind::Producer && random.bool();
            self.launch(victim.kind, is_repeated.then_some(victim.journal), random)?;
        }
        Ok(())
    }

    fn launch(
        &mut self,
        kind: Kind,
        repeat_pushes_of: Option<PathBuf>,
        random: &mut Rng,
    ) -> Result<(), BoxError> {
        let number = self.journals.len();
        let journal = self.folder.join(format!("{number:04}-{}.jsonl", kind.as_str()));
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(kind.as_str())
            .arg("--location")
            .arg(self.location.to_string())
            .arg("--journal")
            .arg(&journal);
        command.arg("--seed").arg(random.u64(..).to_string());
        if self.has_limits {
            command.arg("--limits");
        }
        if let Some(dead) = repeat_pushes_of {
            command.arg("--repeat-pushes-of").arg(dead);
        }
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(journal.with_extension("log"))?)
            .spawn()?;
        self.journals.push(journal.clone());
        self.members.push(Member { kind, child, journal });
        Ok(())
    }

    /// Stops the producers and the applications, which push as well, and waits for their end.
    pub(super) async fn stop_producers(&mut self) -> Result<(), BoxError> {
        self.stop(Kind::Application).await?;
        self.stop(Kind::Producer).await
    }

    /// Stops the workers, and waits for their end.
    pub(super) async fn stop_workers(&mut self) -> Result<(), BoxError> {
        self.stop(Kind::Worker).await
    }

    async fn stop(&mut self, kind: Kind) -> Result<(), BoxError> {
        let (mut ending, staying) = std::mem::take(&mut self.members)
            .into_iter()
            .partition::<Vec<_>, _>(|member| member.kind == kind);
        self.members = staying;
        for member in &mut ending {
            drop(member.child.stdin.take());
        }
        for mut member in ending {
            let Ok(status) = timeout(PATIENCE, member.child.wait()).await else {
                return Err(member.failure("a timeout after its input was closed"));
            };
            let status = status?;
            if !status.success() {
                return Err(member.failure(&status.to_string()));
            }
        }
        Ok(())
    }

    /// Returns the number of processes that were killed or stopped.
    pub(super) fn kills(&self) -> u32 {
        u32::try_from(self.killed.len()).unwrap_or(u32::MAX).saturating_add(self.stopped)
    }

    pub(super) fn kills_of(&self, kind: Kind) -> usize {
        self.killed.iter().filter(|killed| **killed == kind).count()
    }

    pub(super) const fn stops(&self) -> u32 {
        self.stopped
    }

    pub(super) const fn kills_of_all(&self) -> u32 {
        self.killed_all
    }

    pub(super) fn journals(&self) -> &[PathBuf] {
        &self.journals
    }
}

impl Member {
    /// Returns an error with how the process ended, and its last output.
    fn failure(&self, how: &str) -> BoxError {
        let said = std::fs::read_to_string(self.journal.with_extension("log")).unwrap_or_default();
        format!("the {} of {} ended with {how}: {}", self.kind.as_str(), self.journal.display(), said.trim())
            .into()
    }
}
