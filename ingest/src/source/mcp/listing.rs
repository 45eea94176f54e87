//! [`Listing`]: `tools/list`, page by page, within limits.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use serde_json::Value;

/// The most pages of one listing.
const PAGES_MAX: u64 = 10_000;
/// The most tools of one server, half of what an index is built for.
const TOOLS_MAX: u64 = 100_000;
/// The most bytes of one listing, all pages together.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The longest time that a listing may call itself fresh, as rmcp's own cache has it: longer would be a server that is never
/// asked again.
const FRESH_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How much is read of one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pages: u64,
    tools: u64,
    bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pages: PAGES_MAX, tools: TOOLS_MAX, bytes: BYTES_MAX }
    }
}

/// Why a listing is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is too much of it.
    TooLarge { max: u64, unit: &'static str },
    /// It breaks the protocol.
    Contract(String),
    /// It was made for one user.
    Private,
}

/// What is known of a listing after some of its pages.
#[derive(Debug)]
pub(super) struct Listing {
    limits: Limits,
    may_be_private: bool,
    n_pages: u64,
    n_tools: u64,
    n_bytes: u64,
    cursors: HashSet<String>,
    /// The shortest of the pages' times; `None` once a page says nothing.
    fresh_for: Option<Duration>,
}

impl Listing {
    /// Before the first page. `may_be_private` is the operator's word that a private listing may be shared.
    pub(super) fn new(limits: Limits, may_be_private: bool) -> Self {
        Self {
            limits,
            may_be_private,
            n_pages: 0,
            n_tools: 0,
            n_bytes: 0,
            cursors: HashSet::new(),
            fresh_for: Some(FRESH_MAX),
        }
    }

    /// Takes a page: gives each tool with its position to `sink`, and returns the cursor of the next page. A cursor means
    /// nothing to anybody but its server, so the empty text is one like any other; only its absence is the end.
    pub(super) fn take(
        &mut self,
        mut page: Value,
        sink: &mut dyn FnMut(&str, Value),
    ) -> Result<Option<String>, Refusal> {
        self.n_pages += 1;
        self.count("pages", self.limits.pages, self.n_pages)?;
        self.n_bytes = self.n_bytes.saturating_add(n_bytes(&page));
        self.count("bytes", self.limits.bytes, self.n_bytes)?;
        self.check_kind(&page)?;
        // Absent in older revisions, whose servers cannot say it. A scope of another name may be a narrower one.
        let is_public = matches!(page.get("cacheScope").map(Value::as_str), None | Some(Some("public" | "")))
            || page.get("cacheScope").is_some_and(Value::is_null);
        if !is_public && !self.may_be_private {
            return Err(Refusal::Private);
        }
        self.fresh_for = self.fresh_for.min(page.get("ttlMs").and_then(Value::as_f64).map(milliseconds));
        let next = match page.get_mut("nextCursor").map(Value::take) {
            None | Some(Value::Null) => None,
            Some(Value::String(cursor)) => Some(cursor),
            Some(other) => return Err(self.contract(format!("its nextCursor is {}, not a text", kind(&other)))),
        };
        let tools = match page.get_mut("tools").map(Value::take) {
            Some(Value::Array(tools)) => tools,
            Some(other) => return Err(self.contract(format!("its tools are {}, not a list", kind(&other)))),
            None => return Err(self.contract("it has no list of tools".to_owned())),
        };
        self.n_tools = self.n_tools.saturating_add(tools.len() as u64);
        self.count("tools", self.limits.tools, self.n_tools)?;
        for (index, tool) in tools.into_iter().enumerate() {
            sink(&format!("tool {} of page {}", index + 1, self.n_pages), tool);
        }
        if let Some(cursor) = &next
            && !self.cursors.insert(cursor.clone())
        {
            return Err(self.contract("it gives a cursor that an earlier page gave, so the listing never ends".into()));
        }
        Ok(next)
    }

    /// How long the listing is good for by the server's word; `None` where it says nothing. Zero ("stale at once") is a word
    /// about caching and no wish to be asked all the time.
    pub(super) fn fresh_for(&self) -> Option<Duration> {
        self.fresh_for.filter(|time| self.n_pages > 0 && !time.is_zero())
    }

    fn check_kind(&self, page: &Value) -> Result<(), Refusal> {
        match page.get("resultType") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(word)) if word == "complete" => Ok(()),
            Some(_) => Err(self.contract("it is no complete result: a listing cannot ask for anything".to_owned())),
        }
    }

    fn count(&self, unit: &'static str, max: u64, n: u64) -> Result<(), Refusal> {
        if n > max { Err(Refusal::TooLarge { max, unit }) } else { Ok(()) }
    }

    fn contract(&self, what: String) -> Refusal {
        Refusal::Contract(format!("page {} of tools/list: {what}", self.n_pages))
    }
}

/// Negative times are read as zero, as the protocol has it.
fn milliseconds(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms.max(0.0) / 1_000.0).unwrap_or(FRESH_MAX)
}

/// As many bytes as it has in JSON, without making the text.
fn n_bytes(value: &Value) -> u64 {
    struct Count(u64);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len() as u64);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Values always serialise, and counting never fails.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// What a value is, for a message.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads pages to the end: how many tools, how long they are fresh, or the refusal.
    fn read(listing: &mut Listing, pages: &[Value]) -> Result<(usize, Option<Duration>), Refusal> {
        let mut n_tools = 0;
        for page in pages {
            if listing.take(page.clone(), &mut |_, _| n_tools += 1)?.is_none() {
                break;
            }
        }
        Ok((n_tools, listing.fresh_for()))
    }

    fn page(tools: &[Value], cursor: &str) -> Value {
        json!({ "tools": tools, "nextCursor": cursor })
    }

    #[test]
    fn an_empty_cursor_is_a_cursor_and_absence_is_the_end() {
        let tools = [json!({ "name": "a" })];
        let mut listing = Listing::new(Limits::default(), false);
        let pages = [page(&tools, ""), json!({ "tools": tools, "nextCursor": null })];
        assert_eq!(read(&mut listing, &pages), Ok((2, None)));

        let mut listing = Listing::new(Limits::default(), false);
        let refusal = read(&mut listing, &[page(&[], "x"), page(&[], ""), page(&[], "x")]);
        assert!(matches!(&refusal, Err(Refusal::Contract(why)) if why.contains("page 3") && why.contains("cursor")));
    }

    #[test]
    fn a_listing_is_as_large_as_its_limits_and_no_larger() {
        let check = |limits: Limits, expected: Result<(usize, Option<Duration>), Refusal>| {
            let pages: Vec<Value> = (0..5).map(|i| page(&[json!({ "name": "a" })], &i.to_string())).collect();
            assert_eq!(read(&mut Listing::new(limits, false), &pages), expected, "{limits:?}");
        };
        let all = Limits { pages: 5, tools: 5, bytes: 5 * n_bytes(&page(&[json!({ "name": "a" })], "0")) };
        check(all, Ok((5, None)));
        check(Limits { pages: 4, ..all }, Err(Refusal::TooLarge { max: 4, unit: "pages" }));
        check(Limits { tools: 4, ..all }, Err(Refusal::TooLarge { max: 4, unit: "tools" }));
        check(Limits { bytes: 100, ..all }, Err(Refusal::TooLarge { max: 100, unit: "bytes" }));
    }

    #[test]
    fn one_page_that_is_private_makes_the_listing_private() {
        let check = |scope: Value, is_public: bool| {
            let pages = [page(&[], "next"), json!({ "tools": [], "cacheScope": scope })];
            let expected = if is_public { Ok((0, None)) } else { Err(Refusal::Private) };
            assert_eq!(read(&mut Listing::new(Limits::default(), false), &pages), expected, "{scope}");
            assert_eq!(read(&mut Listing::new(Limits::default(), true), &pages), Ok((0, None)), "{scope}");
        };
        check(json!("public"), true);
        check(json!(""), true);
        check(json!(null), true);
        check(json!("private"), false);
        check(json!("tenant"), false);
        check(json!(1), false);
    }

    #[test]
    fn a_listing_is_fresh_for_the_shortest_of_its_pages_times() {
        let check = |first: Value, second: Value, expected: Option<u64>| {
            let pages =
                [json!({ "tools": [], "ttlMs": first, "nextCursor": "x" }), json!({ "tools": [], "ttlMs": second })];
            let read = read(&mut Listing::new(Limits::default(), false), &pages);
            assert_eq!(read, Ok((0, expected.map(Duration::from_millis))), "{first} {second}");
        };
        check(json!(60_000), json!(5_000), Some(5_000));
        check(json!(60_000), json!(null), None);
        check(json!(60_000), json!(0), None);
        check(json!(60_000), json!(-7), None);
        check(json!(1e300), json!(u64::MAX), Some(86_400_000));
    }

    #[test]
    fn what_is_no_page_is_refused_with_its_page() {
        let check = |page: Value, expected: &str| {
            let refusal = Listing::new(Limits::default(), false).take(page, &mut |_, _| {});
            assert!(matches!(&refusal, Err(Refusal::Contract(why)) if why.contains(expected)), "{refusal:?}");
        };
        check(json!({}), "no list of tools");
        check(json!("tools"), "no list of tools");
        check(json!({ "tools": {} }), "an object, not a list");
        check(json!({ "tools": [], "nextCursor": 7 }), "a number, not a text");
        check(json!({ "tools": [], "resultType": "input_required" }), "no complete result");
    }
}
