//! [`Filter`]: which records are wanted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::timestamp;

/// Which records are wanted: those that meet everything that is given.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The user's key, or that of the admin who acted as somebody.
    pub user: Option<String>,
    /// A tool that was asked for or shown; a ref without a version means every version.
    pub reference: Option<String>,
    /// The door, such as `search_tools` or `admin/why_not`.
    pub door: Option<String>,
    /// The outcome (`allow`, `partial`, `deny`, …), the error's code, or the HTTP status.
    pub outcome: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The query's HMAC; see [`super::query_hmac`].
    pub query_hmac: Option<String>,
    /// Not before this time; see [`Filter::time`].
    pub since: Option<String>,
    /// Before this time.
    pub until: Option<String>,
}

impl Filter {
    /// A time as it is written: RFC 3339 (`2026-11-25T08:00:00Z`), a day (`2026-11-25`), or how long ago (`90m`, `2h`, `7d`).
    /// Nothing when it is none of these. What is longer ago than 1970 is 1970: no record is older, and no such time can be
    /// written.
    pub fn time(written: &str, now: SystemTime) -> Option<String> {
        let is_day = written.len() == 10;
        let day = is_day.then(|| format!("{written}T00:00:00Z"));
        let point = humantime::parse_rfc3339(day.as_deref().unwrap_or(written)).ok();
        let ago = || humantime::parse_duration(written).ok().and_then(|ago: Duration| now.checked_sub(ago));
        point.or_else(ago).map(|time| timestamp(time.max(UNIX_EPOCH)))
    }

    /// Whether a line is wanted. One that is not JSON never is.
    pub fn takes(&self, line: &[u8]) -> bool {
        serde_json::from_slice(line).is_ok_and(|record| self.takes_record(&record))
    }

    /// Whether a record is wanted.
    pub fn takes_record(&self, record: &Value) -> bool {
        let Self { user, reference, door, outcome, request_id, query_hmac, since, until } = self;
        let text = |key: &str| record[key].as_str().unwrap_or_default();
        let is = |wanted: &Option<String>, key: &str| wanted.as_deref().is_none_or(|wanted| text(key) == wanted);
        let by = |user: &str| record["user"] == user || record["actor_user"] == user;
        let ended = |outcome: &str| {
            text("outcome") == outcome
                || text("code") == outcome
                || record["status"].as_u64().is_some_and(|status| outcome.parse() == Ok(status))
        };
        let asked = |hmac: &str| record["asked"]["query_hmac"] == hmac;
        let names = |reference: &str| {
            let lists = [&record["asked"]["refs"], &record["returned"]].map(|list| list.as_array());
            let mut named = lists.into_iter().flatten().flatten().filter_map(Value::as_str);
            named
                .any(|named| named.strip_prefix(reference).is_some_and(|rest| rest.is_empty() || rest.starts_with('@')))
        };
        is(door, "door")
            && is(request_id, "request_id")
            && since.as_deref().is_none_or(|since| text("time") >= since)
            && until.as_deref().is_none_or(|until| text("time") < until)
            && user.as_deref().is_none_or(by)
            && outcome.as_deref().is_none_or(ended)
            && query_hmac.as_deref().is_none_or(asked)
            && reference.as_deref().is_none_or(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_days_or_ages() {
        let now = humantime::parse_rfc3339("2026-11-25T12:00:00Z").expect("a time");
        let check = |written: &str, expected: Option<&str>| {
            assert_eq!(Filter::time(written, now).as_deref(), expected, "{written}");
        };
        check("2026-11-24", Some("2026-11-24T00:00:00.000Z"));
        check("2026-11-24T01:02:03.5Z", Some("2026-11-24T01:02:03.500Z"));
        check("90m", Some("2026-11-25T10:30:00.000Z"));
        check("1d", Some("2026-11-24T12:00:00.000Z"));
        check("100y", Some("1970-01-01T00:00:00.000Z"));
        check("1969-12-31", None);
        check("9999-12-31", Some("9999-12-31T00:00:00.000Z"));
        check("yesterday", None);
        check("99999999999999y", None);
        check("2026-13-01", None);
    }

    #[test]
    fn each_wish_narrows() {
        let line = br#"{"time":"2026-11-25T12:00:00.000Z","door":"tools","user":"bob","request_id":"r",
            "actor":"user:root of tenant:t","actor_user":"root",
            "asked":{"refs":["m://a.b"],"query_hmac":"00"},"returned":["m://a.b@1.0.0"],"outcome":"allow","status":200,"code":"ok"}"#;
        let check = |set: fn(&mut Filter, String), wanted: &[&str], unwanted: &[&str]| {
            for (values, expected) in [(wanted, true), (unwanted, false)] {
                for value in values {
                    let mut filter = Filter::default();
                    set(&mut filter, (*value).to_owned());
                    assert_eq!(filter.takes(line), expected, "{filter:?}");
                }
            }
        };
        assert!(Filter::default().takes(line) && !Filter::default().takes(b"{"));
        check(|filter, value| filter.user = Some(value), &["bob", "root"], &["bo", "bob2", "user:root", ""]);
        check(|filter, value| filter.door = Some(value), &["tools"], &["tool"]);
        check(|filter, value| filter.outcome = Some(value), &["allow", "200", "ok"], &["deny", "20"]);
        check(|filter, value| filter.reference = Some(value), &["m://a.b", "m://a.b@1.0.0"], &["m://a", "m://a.b@1"]);
        check(|filter, value| filter.since = Some(value), &["2026-11-25T12:00:00.000Z"], &["2026-11-25T12:00:00.001Z"]);
        check(|filter, value| filter.until = Some(value), &["2026-11-25T12:00:00.001Z"], &["2026-11-25T12:00:00.000Z"]);
        check(|filter, value| filter.request_id = Some(value), &["r"], &["q"]);
        check(|filter, value| filter.query_hmac = Some(value), &["00"], &["01"]);
    }
}
