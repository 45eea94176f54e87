//! [`Guarded`]: a server's output with limits on each message, kept while it is read. The transport below would drop a line
//! that is too long or nested too deep and wait for another until its time is up; here the reason is told at once.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// The largest message, in bytes: the same over both transports. A listing of 350 tools with their schemas has half a
/// megabyte.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The deepest message; the JSON parser stops at 128, and a schema is taken to 48 levels.
const DEPTH_MAX: usize = 120;

/// Why reading ended, where that was the guard's doing.
pub(super) type Verdict = Arc<OnceLock<String>>;

/// A stream of messages, one a line.
pub(super) struct Guarded<R> {
    inner: R,
    message: Message,
    verdict: Verdict,
}

/// What is known of the line that is being read.
#[derive(Default)]
struct Message {
    n_bytes: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl<R> Guarded<R> {
    pub(super) fn new(inner: R, verdict: Verdict) -> Self {
        Self { inner, message: Message::default(), verdict }
    }
}

impl Message {
    /// Follows the bytes as JSON. In a line that is none the depth is nonsense and small.
    fn follow(&mut self, bytes: &[u8]) -> Result<(), String> {
        for &byte in bytes {
            if byte == b'\n' {
                *self = Self::default();
                continue;
            }
            self.n_bytes += 1;
            if self.n_bytes > MESSAGE_BYTES_MAX {
                return Err(format!("it sent a message of more than the {MESSAGE_BYTES_MAX} bytes allowed"));
            }
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
                (false, b'{' | b'[') => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(format!("it sent JSON that is nested more than the {DEPTH_MAX} levels allowed"));
                    }
                }
                (false, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Guarded<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let n_before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        let new = buffer.filled().get(n_before..).unwrap_or_default();
        Poll::Ready(self.message.follow(new).map_err(|reason| {
            // The first reason is the one that ended it.
            let _ = self.verdict.set(reason.clone());
            io::Error::other(reason)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_followed_over_any_cut() {
        let check = |text: &str, expected: bool| {
            for cut in [1, 2, 7, text.len()] {
                let mut message = Message::default();
                let followed = text.as_bytes().chunks(cut).try_for_each(|bytes| message.follow(bytes));
                assert_eq!(followed.is_ok(), expected, "{:?} in pieces of {cut}", text.get(..20));
            }
        };
        check(&format!("{}{}\n", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX)), true);
        check(&format!("{}\n", "[".repeat(DEPTH_MAX + 1)), false);
        check(&format!("{}\n", "{\"a\":".repeat(DEPTH_MAX + 1)), false);
        // Brackets in a string do not nest, and a quoted quote does not end it.
        check(&format!("\"\\\"{}\"\n", "[".repeat(DEPTH_MAX + 1)), true);
        check(&format!("\"\\\\\"{}\n", "[".repeat(DEPTH_MAX + 1)), false);
        // A line begins anew, whatever stood on the one before it.
        check(&format!("a \" b\n{}\n", "[".repeat(DEPTH_MAX + 1)), false);
        check(&"[\n".repeat(DEPTH_MAX + 1), true);
    }

    #[test]
    fn a_message_may_be_as_long_as_is_allowed_and_no_longer() {
        let mut message = Message::default();
        let line = vec![b'x'; MESSAGE_BYTES_MAX];
        assert_eq!(message.follow(&line), Ok(()));
        assert_eq!(message.follow(b"\n"), Ok(()));
        assert_eq!(message.follow(&line), Ok(()));
        assert!(message.follow(b"x").is_err());
    }
}
