//! [`TraceContext`]: the caller's place in a distributed trace (W3C Trace Context, `traceparent`).

use std::fmt;

use axum::http::{HeaderMap, HeaderName};

/// The header's name.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Version, trace, parent and flags in hexadecimal with dashes between them: the whole of version 00, and the beginning of
/// every later one.
const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// The trace that a request belongs to, and the span of the caller in it. Its numbers are the only thing of the header that
/// goes anywhere, so nothing else of it can get into a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// Names the trace; never 0.
    pub(crate) trace_id: u128,
    /// Names a span of it: as read, the caller's; in [`Self::child`], ours. Never 0.
    pub(crate) span_id: u64,
    /// Whether the caller keeps its part of the trace.
    pub(crate) is_sampled: bool,
}

impl TraceContext {
    /// Of a request. Two headers are none, as the standard asks for.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (first, None) = (values.next()?, values.next()) else { return None };
        Self::read(first.to_str().ok()?)
    }

    /// Puts its numbers into a span that has the fields `trace.id` and `trace.span_id`, as the log spells them.
    pub(crate) fn record_in(self, span: &tracing::Span) {
        span.record("trace.id", tracing::field::display(format!("{:032x}", self.trace_id)));
        span.record("trace.span_id", tracing::field::display(format!("{:016x}", self.span_id)));
    }

    /// Reads the value of a `traceparent`, wherever it stands; `None` for anything that is not one.
    pub(crate) fn read(value: &str) -> Option<Self> {
        let (head, rest) = value.split_at_checked(LENGTH)?;
        let mut parts = head.split('-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            is_hex.then(|| u128::from_str_radix(part, 16).ok()).flatten()
        };
        let (version, trace_id) = (number(2)?, number(32)?);
        let (span_id, flags) = (u64::try_from(number(16)?).ok()?, number(2)?);
        // A later version may go on behind a dash; 255 will never be one.
        let is_whole = rest.is_empty() || (version != 0 && rest.starts_with('-'));
        let is_valid = is_whole && version != 0xff && trace_id != 0 && span_id != 0;
        is_valid.then_some(Self { trace_id, span_id, is_sampled: flags & 1 == 1 })
    }

    /// Our own span of the same trace.
    pub(crate) fn child(self) -> Self {
        Self { span_id: fastrand::u64(1..), ..self }
    }
}

/// As a `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_is_read_and_written_back() {
        let context = TraceContext::read(GOOD).expect("the standard's own example");
        assert_eq!(context.to_string(), GOOD);
        assert!(context.is_sampled);
        let child = context.child();
        assert_eq!((child.trace_id, child.is_sampled), (context.trace_id, true));
        assert_eq!(TraceContext::read(&child.to_string()), Some(child));
        // Flags that are still to be invented are not repeated.
        let flags = GOOD.replace("-01", "-fe");
        assert_eq!(TraceContext::read(&flags).map(|context| context.is_sampled), Some(false));
        // A later version is read as far as it is known.
        for later in ["01-", "fe-"] {
            let later = GOOD.replacen("00-", later, 1);
            assert_eq!(TraceContext::read(&later), Some(context));
            assert_eq!(TraceContext::read(&(later + "-more")), Some(context));
        }
    }

    #[test]
    fn what_is_no_context_is_none() {
        let zero_trace = GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        let zero_span = GOOD.replace("b7ad6b7169203331", &"0".repeat(16));
        let wrong = [
            "",
            "-",
            "00",
            &GOOD[1..],
            &GOOD[..GOOD.len() - 1],
            &format!("{GOOD}-more"),
            &format!("{GOOD} "),
            &GOOD.to_uppercase(),
            &GOOD.replace("00-", "ff-"),
            &GOOD.replace("00-", "0g-"),
            &GOOD.replace("00-", "01-").replace("-01", "-01x"),
            &GOOD.replace('-', "_"),
            &GOOD.replace("0af7", "+af7"),
            &zero_trace,
            &zero_span,
            &"ж".repeat(40),
            &"-".repeat(55),
        ];
        for value in wrong {
            assert_eq!(TraceContext::read(value), None, "{value}");
        }
        let one = (TRACEPARENT, GOOD.parse().expect("a header value"));
        assert!(TraceContext::of(&HeaderMap::from_iter([one.clone()])).is_some());
        let mut two = HeaderMap::new();
        two.append(TRACEPARENT, one.1.clone());
        two.append(TRACEPARENT, one.1);
        assert!(TraceContext::of(&two).is_none());
    }
}
