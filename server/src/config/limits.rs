//! `[limits]` of a configuration file, and the limits of connections.

use std::time::Duration;

use serde::Deserialize;

use crate::limits::{
    ANSWER_TIMEOUT, CONNECTIONS_MAX, CONNECTIONS_PER_PEER_MAX, HANDSHAKE_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT, RATE_MAX,
};
use crate::rate::{Rate, Rates};

/// How many connections there may be, and how long each may take for what.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Open at the same time; at least 1.
    pub n_max: usize,
    /// Of them, those of one peer: an IPv4 address, or a /64 of IPv6; at least 1.
    pub n_per_peer_max: usize,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For the head of a request; the first is counted from the opening of the connection.
    pub head: Duration,
    /// Without a request.
    pub idle: Duration,
    /// From a request's head to the last byte of its answer.
    pub answer: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            n_max: CONNECTIONS_MAX,
            n_per_peer_max: CONNECTIONS_PER_PEER_MAX,
            handshake: HANDSHAKE_TIMEOUT,
            head: HEAD_TIMEOUT,
            idle: IDLE_TIMEOUT,
            answer: ANSWER_TIMEOUT,
        }
    }
}

/// The section as it is written; what is left out is as usual.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsFile {
    connections: Option<usize>,
    connections_per_peer: Option<usize>,
    requests_per_second: Option<u32>,
    burst: Option<u32>,
    refused_per_second: Option<u32>,
    refused_burst: Option<u32>,
}

impl LimitsFile {
    pub(super) fn rates(&self) -> Result<Rates, String> {
        let Rates { calls, refusals } = Rates::default();
        let one = |name: &str, written: Option<u32>, usual: u32| match written.unwrap_or(usual) {
            rate @ 1..=RATE_MAX => Ok(rate),
            _ => Err(format!("`{name}` of [limits] is between 1 and {RATE_MAX}")),
        };
        Ok(Rates {
            calls: Rate {
                per_second: one("requests_per_second", self.requests_per_second, calls.per_second)?,
                burst: one("burst", self.burst, calls.burst)?,
            },
            refusals: Rate {
                per_second: one("refused_per_second", self.refused_per_second, refusals.per_second)?,
                burst: one("refused_burst", self.refused_burst, refusals.burst)?,
            },
        })
    }

    pub(super) fn connections(&self) -> Result<ConnectionLimits, String> {
        let usual = ConnectionLimits::default();
        let n_max = self.connections.unwrap_or(usual.n_max);
        // Without a word about it, the share stays what it is of the usual number.
        let share = n_max.saturating_mul(CONNECTIONS_PER_PEER_MAX).div_ceil(CONNECTIONS_MAX);
        let n_per_peer_max = self.connections_per_peer.unwrap_or(share);
        if n_max == 0 || !(1..=n_max).contains(&n_per_peer_max) {
            return Err(
                "`connections` of [limits] is at least 1, and `connections_per_peer` between 1 and that".to_owned()
            );
        }
        Ok(ConnectionLimits { n_max, n_per_peer_max, ..usual })
    }
}
