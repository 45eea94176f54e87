//! [`Peer`]: another program's server, started for a test and ended with it.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thiserror::Error;

use crate::assets::tail;

/// How long a server may take until it answers; an interpreter that loads a hundred packages on a busy machine takes 20 s.
const START_TIME_MAX: Duration = Duration::from_secs(120);
/// How often a port that somebody else took in the meantime is replaced by another.
const PORTS_TRIED_MAX: usize = 3;
/// How often a process is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Why a peer is not there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// There is no Python.
    #[error("python3 cannot be started ({error}); install Python 3.11 or later with venv and pip")]
    NoPython {
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A program cannot be started.
    #[error("{command} cannot be started: {error}")]
    NotStarted {
        /// The command.
        command: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A program ended that should have gone on, or ended badly.
    #[error("{command} ended with {status}; it said:\n{output}")]
    Ended {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// A program took too long.
    #[error("{command} was not ready after {} s; it said:\n{output}", time.as_secs())]
    Slow {
        /// The command.
        command: String,
        /// How long it was waited for.
        time: Duration,
        /// The end of its output.
        output: String,
    },
    /// A file or folder of the peer's cannot be had.
    #[error("cannot {action} {path}: {error}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

impl PeerError {
    pub(super) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), error }
    }
}

/// A server on a loopback port of its own, in a folder of its own, until it is dropped.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    // Dropped first: a process must not outlive its folder.
    _running: Running,
    _home: TempDir,
}

impl Peer {
    /// Starts what `command` gives for a free port, and waits until something listens there. The working directory is an
    /// empty folder, unless the command names another.
    ///
    /// # Errors
    /// [`PeerError`] with the program's last words when it ends, or does not listen within two minutes.
    pub fn listening(command: impl Fn(u16) -> Command) -> Result<Self, PeerError> {
        let mut n_tried = 0;
        loop {
            n_tried += 1;
            match Self::start(&command) {
                // Between our look and its own, somebody else may have taken the port.
                Err(PeerError::Ended { .. }) if n_tried < PORTS_TRIED_MAX => {}
                result => return result,
            }
        }
    }

    fn start(command: &impl Fn(u16) -> Command) -> Result<Self, PeerError> {
        let anywhere = Path::new("a loopback port");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| PeerError::io("find", anywhere, error))?;
        let home = tempfile::tempdir().map_err(|error| PeerError::io("create", Path::new("a folder"), error))?;
        let log = home.path().join("output.log");
        let output = File::create(&log).map_err(|error| PeerError::io("create", &log, error))?;
        let mut command = command(address.port());
        if command.get_current_dir().is_none() {
            command.current_dir(home.path());
        }
        let shown = format!("{:?}", command.get_program());
        let mut running = Running::start(command, Stdio::null(), &output)?;
        let started = Instant::now();
        while TcpStream::connect_timeout(&address, POLL).is_err() {
            if let Some(status) = running.wait(POLL)? {
                return Err(PeerError::Ended { command: shown, status, output: tail(&log) });
            }
            if started.elapsed() > START_TIME_MAX {
                return Err(PeerError::Slow { command: shown, time: START_TIME_MAX, output: tail(&log) });
            }
        }
        Ok(Self { address, _running: running, _home: home })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a source takes as `base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A process with all that it starts, killed when this is dropped.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(mut command: Command, stdin: Stdio, output: &File) -> Result<Self, PeerError> {
        let shown = format!("{:?}", command.get_program());
        let spawned = output.try_clone().and_then(|errors| {
            // A group of its own, so that its children can be ended with it.
            command.stdin(stdin).stdout(output.try_clone()?).stderr(errors).process_group(0).spawn()
        });
        spawned.map(Self).map_err(|error| PeerError::NotStarted { command: shown, error })
    }

    /// Waits for its end; `None` when that does not come in time.
    pub(super) fn wait(&mut self, at_most: Duration) -> Result<Option<ExitStatus>, PeerError> {
        let started = Instant::now();
        loop {
            let ended = self.0.try_wait();
            match ended.map_err(|error| PeerError::io("wait for", Path::new("a child process"), error))? {
                None if started.elapsed() < at_most => thread::sleep(POLL),
                ended => return Ok(ended),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it was waited for, its number may be somebody else's.
        if let (Ok(None), Ok(group)) = (self.0.try_wait(), libc::pid_t::try_from(self.0.id())) {
            // SAFETY: kill touches no memory of ours; the group is that of a child that was not waited for yet.
            unsafe { libc::kill(-group, libc::SIGKILL) };
            // Fails only when it was waited for, which is what is wanted.
            let _ = self.0.wait();
        }
    }
}
