//! Every limit on what comes from outside, with its reason. Those of a request stand in the OpenAPI document too.

use std::time::Duration;

use crate::rate::Rate;

/// The most bytes of a request body: twenty refs or the longest query with every filter full need less than half of it.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to arrive. A caller that is slower is broken or means harm.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The fewest bytes of an answer that is compressed: what fits into one packet gains nothing.
pub const COMPRESS_BYTES_MIN: u64 = 1_024;

/// Hits on a page when the caller does not say.
pub const SEARCH_LIMIT_DEFAULT: usize = 10;
/// The most hits on a page: an agent cannot use more, and `full` detail makes them large.
pub const SEARCH_LIMIT_MAX: usize = 50;
/// The least `max_tokens`: room for the envelope and at least one hit of ordinary size.
pub const TOKENS_MIN: usize = 200;
/// The most `max_tokens`: beyond the context of the models that read it.
pub const TOKENS_MAX: usize = 100_000;
/// The most values in one list of a filter.
pub const FILTER_VALUES_MAX: usize = 64;
/// The most characters of one value of a filter, and of a namespace prefix: as long as a ref may be.
pub const FILTER_VALUE_CHARS_MAX: usize = 512;

/// The most bytes of queries' vectors that are remembered: some 9,000 queries.
pub const QUERY_VECTORS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The most refs in one request for details: each may carry two schemas of 256 KiB.
pub const DETAILS_REFS_MAX: usize = 20;

/// The most characters of what is asked for at the admin door `why_not`: a ref, or a record's id in its source.
pub const WHY_NOT_CHARS_MAX: usize = 2_048;

/// Namespaces on a page when the caller does not say.
pub const NAMESPACES_LIMIT_DEFAULT: usize = 100;
/// The most namespaces on a page.
pub const NAMESPACES_LIMIT_MAX: usize = 500;

/// How long an MCP client may keep the list of tools: it changes with the program alone.
pub const MCP_TTL: Duration = Duration::from_secs(60 * 60);

/// The most characters of a cursor. Ours have 60; anything much longer is not ours.
pub const CURSOR_CHARS_MAX: usize = 128;
/// The most characters of a caller's request id that is taken over into logs and answers.
pub const REQUEST_ID_CHARS_MAX: usize = 128;

/// The most bytes of the header that names the user.
pub const USER_BYTES_MAX: usize = 256;
/// The most bytes of the groups header, and of the scopes header. Every scope of a large Google account is about 12 KiB.
pub const MEMBERSHIPS_BYTES_MAX: usize = 16 * 1024;
/// The most groups, and the most scopes, of one principal.
pub const MEMBERSHIPS_MAX: usize = 300;
/// The fewest bytes of a shared secret, so that it cannot be guessed.
pub const SECRET_BYTES_MIN: usize = 16;

/// The most bytes of a bearer token. Entra puts up to 200 groups into one, which makes 12 KiB.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The most characters of a token's own words (its issuer, its audience) that are repeated in the log.
pub const TOKEN_WORDS_CHARS_MAX: usize = 120;
/// By how much an issuer's clock and ours may differ when the configuration does not say.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// The most that a configuration may say: a token lives that much longer than its issuer meant.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);
/// How long a gateway's own tokens may live when the configuration does not say: it makes one for each request.
pub const GATEWAY_TOKEN_AGE_MAX: Duration = Duration::from_secs(5 * 60);
/// How often an issuer's keys are fetched: as long as a key is believed that the issuer has withdrawn.
pub const KEYS_REFRESH: Duration = Duration::from_secs(10 * 60);
/// The least time between two fetches of an issuer's keys: as often as anybody can make us ask with made-up tokens.
pub const KEYS_ATTEMPT: Duration = Duration::from_secs(5);
/// How long an issuer's keys are believed while it cannot be reached: over a night, but not over a weekend.
pub const KEYS_KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the discovery document and the keys of an issuer may take together. A token with a new key waits for it.
pub const ISSUER_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a discovery document and of a set of keys. Entra's keys have 25 KiB.
pub const ISSUER_BYTES_MAX: usize = 256 * 1024;
/// The most keys of an issuer. Real ones have fewer than ten.
pub const ISSUER_KEYS_MAX: usize = 100;
/// The most requests that wait for an issuer's keys at the same time. A real rotation makes as many wait as come in the time
/// of one fetch; more are a flood, and would only fill the memory.
pub const KEY_WAITERS_MAX: usize = 1_000;
/// The most issuers of a configuration.
pub const ISSUERS_MAX: usize = 100;

/// The most API keys: services, not people, and a few for each while they change.
pub const API_KEYS_MAX: usize = 10_000;
/// The most bytes of the file of API keys: as many keys as there may be.
pub const API_KEYS_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The most characters of a service's name.
pub const SERVICE_CHARS_MAX: usize = 64;

/// The most bytes of a configuration, and of a file that it names.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// The most bytes of a policy file: 10,000 rules of ordinary size.
pub const POLICY_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The most rules of a policy. A new principal costs each of them a look, see `benches/RESULTS.md`.
pub const POLICY_RULES_MAX: usize = 10_000;
/// The most entries in one list of a rule.
pub const POLICY_LIST_MAX: usize = 1_000;

/// The most characters of a rule's note: a sentence and the number of a ticket.
pub const POLICY_NOTE_CHARS_MAX: usize = 500;

/// The most rules that admins may have added at run time. They are for what cannot wait for a review; what stays belongs into
/// the policy's file, and all of them are written anew with each change.
pub const RUN_TIME_RULES_MAX: usize = 1_000;
/// The most bytes of all run-time rules together: as many as the policy's file may have.
pub const RUN_TIME_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The versions of the run-time rules that are kept for a roll-back and for questions, the one in force included.
pub const RUN_TIME_VERSIONS_KEPT: usize = 100;
/// The most bytes of a rule's id in a path. Ours have a letter and a number.
pub const RULE_ID_BYTES_MAX: usize = 32;

/// Grants kept resolved. One of 200,000 tools takes 25 kB at the most, so all of them take 50 MB at the most.
pub const ALLOWED_SETS_KEPT: u64 = 2_000;
/// Principals whose grant is kept.
pub const GRANTS_KEPT: u64 = 10_000;
/// The most bytes of these grants: a thousand rules take some 200 kB for each whom they concern.
pub const GRANTS_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// From more rules on, a grant that is not at hand is resolved on a thread that may block: a thousand take a millisecond.
pub const RULES_AT_ONCE_MAX: usize = 100;
/// Kept grants and resolved sets that nobody used for this long are dropped.
pub const KEPT_IDLE: Duration = Duration::from_secs(15 * 60);

/// Requests that compute at the same time, for each core: a search is bound by the processor.
pub const RUNNING_PER_CORE: usize = 1;
/// Requests that wait for one that computes, for each that may. More only queue, and their callers give up first.
pub const WAITING_PER_RUNNING: usize = 16;
/// How long a request may wait and compute.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// What `Retry-After` says when the server is full or not ready, in seconds.
pub const RETRY_AFTER_S: u32 = 1;
/// The largest number that every reader of JSON reads exactly, 2⁵³ - 1.
pub const JSON_INTEGER_MAX: u64 = 9_007_199_254_740_991;

/// How often one user or service may ask: more than an agent that works alone comes to, and less than fills the machine.
pub const CALLS: Rate = Rate { per_second: 100, burst: 400 };
/// How often one peer may come without an identity that is accepted. Behind a gateway all users are one peer.
pub const REFUSALS: Rate = Rate { per_second: 20, burst: 100 };
/// The most of what a configuration may say of a rate.
pub const RATE_MAX: u32 = 1_000_000;
/// Callers whose rate is kept, and peers; each takes some 200 bytes. Who is pushed out begins with a full burst again.
pub const RATES_KEPT: u64 = 50_000;
/// Credentials of which it is kept that they were accepted, as 8 bytes each.
pub const CREDENTIALS_KEPT: u64 = 20_000;

/// Connections that are open at the same time. Most systems give a process 1,024 file descriptors unless told otherwise.
pub const CONNECTIONS_MAX: usize = 800;
/// Of them, those of one peer: an IPv4 address, or a /64 of IPv6. A gateway needs many; nobody may have all.
pub const CONNECTIONS_PER_PEER_MAX: usize = 600;
/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request's head may take to arrive, and the first one after the connection was opened.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept open without a request: longer than the balancers that keep theirs for a minute, so that
/// none sends a request into one that is just being closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a request may take from its head to the last byte of its answer: its body, the work, its record, and a caller
/// who reads slowly.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The most bytes of an answer that are handed to hyper at once. It takes the next only when it has room, but whatever it is
/// given: an answer in one piece would be handed over before anybody read of it.
pub const PIECE_BYTES_MAX: usize = 16 * 1024;
/// How long a connection that is told to close may take to write what it has begun.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a request's head: the largest token or memberships, and room for the rest. More is answered with 431.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most headers of a request in HTTP/1; more are answered with 431.
pub const HEADERS_MAX: usize = 100;
/// Requests at the same time on one connection in HTTP/2.
pub const HTTP2_STREAMS_MAX: u32 = 64;
/// How long running requests may take to finish once the server was told to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How often the policy file, the run-time rules and the current generation are looked at. So this is also how much later
/// another process over the same home learns of a change: this long, and the time of the look itself.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// A generation that was refused is tried again after this many looks: it may have been a passing fault of the disk, and
/// verifying a large one each second would starve the searches.
pub const POLLS_BEFORE_RETRY: u32 = 60;

/// Decisions that wait to be written to the audit log. More wait only where the disk does not keep up, and are missed then.
pub const AUDIT_QUEUE: usize = 1_024;
/// Decisions written at once, so that none waits long for the others.
pub const AUDIT_GROUP: usize = 256;
/// How long an answer waits for its record. A disk that takes longer hangs, and is told to fail.
pub const AUDIT_ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a failing audit log is tried without a request.
pub const AUDIT_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often the newest record is named in the server's log. What is cut off the end of the audit log since goes unnoticed.
pub const AUDIT_ANCHOR_INTERVAL: Duration = Duration::from_secs(60);
/// How long the end of the server waits for the last record.
pub const AUDIT_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many decisions must be missed for the server's log to say so again.
pub const AUDIT_MISSED_PER_WARNING: u64 = 1_000;
/// The size of a file of the audit log: some 80,000 records, which a person's tools still open.
pub const AUDIT_ROTATE_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes of what is recorded of a request: its lists of refs, namespaces and the like.
pub const AUDIT_ASKED_BYTES_MAX: usize = 16 * 1024;
/// The most refs of an answer that are recorded; more are counted. A page of hits has half of it at the most.
pub const AUDIT_REFS_MAX: usize = 100;
/// The most bytes of these refs.
pub const AUDIT_RETURNED_BYTES_MAX: usize = 32 * 1024;
/// The most bytes of a record: all of the above, each character escaped at the worst.
pub const AUDIT_LINE_BYTES_MAX: usize = 512 * 1024;

/// How many may read the metrics page at the same time. One Prometheus asks every few seconds; two make a pair.
pub const METRICS_READERS_MAX: usize = 4;
/// Connections to the metrics page at the same time; more wait in the system's queue.
pub const METRICS_CONNECTIONS_MAX: usize = 16;
/// How long such a connection may take in all: reading the metrics, and whoever sends or takes them slowly.
pub const METRICS_CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one attempt to send something to a collector may take, and how long it is tried in all before it is given up.
pub const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a collector's answer that are read; it says next to nothing.
pub const COLLECTOR_ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// How often it is said that the collector takes nothing, while that lasts.
pub const COLLECTOR_WARNING_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How long the end of the server waits for the last traces and metrics to be sent.
pub const TELEMETRY_CLOSE_TIMEOUT: Duration = Duration::from_secs(6);

/// How long reading the metrics may take.
pub const METRICS_TIMEOUT: Duration = Duration::from_secs(5);

/// Records on a page of the admin door when the caller does not say.
pub const AUDIT_LIMIT_DEFAULT: usize = 100;
/// The most records on a page of the admin door.
pub const AUDIT_LIMIT_MAX: usize = 500;
/// The most bytes of the log that the admin door reads for one page, a second's work.
pub const AUDIT_SCAN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long the admin door reads for one page.
pub const AUDIT_SCAN_TIME: Duration = Duration::from_secs(5);
