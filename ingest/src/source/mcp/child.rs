//! [`Program`] and [`Child`]: a server that is a program, and all that it starts.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::network::Token;
use crate::normalize::one_line;

/// How much of a program's error output is kept, in bytes: its end.
const WORDS_BYTES_MAX: usize = 4 * 1024;
/// How many of its last lines are quoted.
const WORDS_LINES_MAX: usize = 5;
/// How much of them is quoted, in characters.
const WORDS_CHARS_MAX: usize = 600;
/// How long a program that has lost its input may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// What is started.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) command: Vec<String>,
    /// Its whole environment. Values may be secrets.
    pub(super) environment: Vec<(String, Token)>,
    pub(super) cwd: Option<PathBuf>,
}

/// A running program, killed with its whole process group when this is dropped.
pub(super) struct Child {
    child: tokio::process::Child,
    words: Arc<Mutex<VecDeque<u8>>>,
    /// Ends when nobody holds the program's error output any more.
    listener: JoinHandle<()>,
}

impl Program {
    /// The program's name, for messages: its arguments may be secrets.
    pub(super) fn shown(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// Starts it in a process group of its own.
    pub(super) fn start(&self) -> io::Result<(Child, ChildStdout, ChildStdin)> {
        let mut command = Command::new(self.shown());
        command.args(self.command.iter().skip(1)).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value.reveal())));
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let missing = || io::Error::other("it was started without its pipes");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let words = Arc::default();
        let listener = tokio::spawn(listen(stderr, Arc::clone(&words)));
        Ok((Child { child, words, listener }, stdout, stdin))
    }
}

impl Child {
    /// Lets a program that has lost its input and output end by itself, kills what is left of its group, and says how it
    /// ended: `None` when it had to be killed.
    pub(super) async fn end(&mut self) -> Option<ExitStatus> {
        // Its error output closes with its last process. It is not waited for yet: once it was, its number may be
        // somebody else's, and the group could not be killed.
        let ended = self.listener.is_finished() || tokio::time::timeout(GRACE, &mut self.listener).await.is_ok();
        self.kill_group();
        let status = tokio::time::timeout(GRACE, self.child.wait()).await;
        status.ok()?.ok().filter(|_| ended)
    }

    /// The last lines of its error output.
    pub(super) fn last_words(&self) -> Option<String> {
        let bytes: Vec<u8> = self.words.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text.lines().map(one_line).filter(|line| !line.is_empty()).collect();
        let quoted = lines[lines.len().saturating_sub(WORDS_LINES_MAX)..].join(" / ");
        let n_chars = quoted.chars().count();
        let quoted: String = quoted.chars().skip(n_chars.saturating_sub(WORDS_CHARS_MAX)).collect();
        Some(quoted).filter(|quoted| !quoted.is_empty())
    }

    #[cfg(unix)]
    fn kill_group(&self) {
        // `None` once it was waited for.
        if let Some(group) = self.child.id().and_then(|id| libc::pid_t::try_from(id).ok()) {
            // SAFETY: kill touches no memory of ours; the group is that of a child that was not waited for yet.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }

    #[cfg(not(unix))]
    fn kill_group(&mut self) {
        // Fails only when it has ended.
        let _ = self.child.start_kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_group();
        self.listener.abort();
    }
}

/// Reads all of it, so that the program never waits for us, and keeps the end.
async fn listen(mut stderr: impl AsyncRead + Unpin, words: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(n_read) = stderr.read(&mut buffer).await {
        if n_read == 0 {
            return;
        }
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend(buffer.iter().take(n_read));
        let surplus = words.len().saturating_sub(WORDS_BYTES_MAX);
        words.drain(..surplus);
    }
}
