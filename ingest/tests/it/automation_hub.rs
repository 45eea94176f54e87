//! The Automation Hub source against a hub on a real socket, well behaved and not.

use std::time::Duration;

use serde_json::{Value, json};
use shortlist_index::{Annotations, Rejection, ScopeRequirement, Tool};
use shortlist_ingest::error::SourceError;
use shortlist_ingest::source::automation_hub::{AutomationHub, AutomationHubConfig, EtagCovers, FieldMap};
use shortlist_ingest::source::{Fetched, Record, Source, SourceState};
use shortlist_ingest::testing::{Fault, actions_of_jsonl, loopback};

use crate::support::{Waits, action, actions, bearer, config, hub, start};
use crate::wire::{Wire, reply};

/// A whole pass: the records and the state, or the error.
fn read(source: &AutomationHub) -> Result<(Vec<Record>, SourceState), SourceError> {
    let mut records = Vec::new();
    match source.fetch(None, &mut |record| records.push(record))? {
        Fetched::Complete(state) => Ok((records, state)),
        Fetched::Unchanged => Ok((records, SourceState::new())),
    }
}

fn ids(records: &[Record]) -> Vec<String> {
    records.iter().flatten().map(|tool| tool.provenance.foreign_id.clone()).collect()
}

fn offered(actions: &[Value]) -> Vec<String> {
    actions.iter().filter_map(|action| action["id"].as_str()).map(str::to_owned).collect()
}

fn failure(source: &AutomationHub) -> SourceError {
    let error = read(source).map(|(records, _)| records.len()).expect_err("the pass fails");
    let message = error.to_string();
    assert!(!message.contains("s3cret"), "a credential in {message}");
    error
}

#[test]
fn every_page_is_read_and_every_field_mapped() {
    let mut catalog = actions(34);
    catalog.push(json!({
        "id": "billing:refund@2.1.0-rc.1",
        "title": "Refund a payment",
        "description": "Pays money back.",
        "inputSchema": { "type": "object", "properties": { "id": { "type": "string" } } },
        "outputSchema": { "type": "object" },
        "tags": ["money", "danger"],
        "executionMode": "async",
        "authType": "oauth2",
        "requiresObo": true,
        "requiredPermissions": ["billing.write", "billing.read"],
        "deprecation": { "message": "Use billing:refund@3" },
        "annotations": { "readOnly": false, "destructive": true },
    }));
    let server = start(catalog.clone());
    let (records, _) = read(&hub(config("hub", &server))).expect("a pass");
    assert_eq!(ids(&records), offered(&catalog));

    let tool: &Tool = records.last().and_then(|record| record.as_ref().ok()).expect("the last tool");
    assert_eq!(tool.reference.to_string(), "hub://billing.refund@2.1.0-rc.1");
    assert_eq!(tool.title.as_deref(), Some("Refund a payment"));
    assert_eq!(tool.tags, ["danger", "money"]);
    assert_eq!(tool.execution.mode.as_deref(), Some("async"));
    assert_eq!(tool.execution.auth_type.as_deref(), Some("oauth2"));
    assert!(tool.execution.requires_obo);
    assert_eq!(tool.required_scopes, ScopeRequirement::all_of(["billing.read", "billing.write"]));
    assert_eq!(tool.deprecation.as_deref(), Some("Use billing:refund@3"));
    assert_eq!(
        tool.annotations,
        Annotations { read_only: Some(false), destructive: Some(true), ..Annotations::default() }
    );
    assert_eq!(tool.provenance.source_type, "automation_hub");
}

#[test]
fn whatever_the_page_size_nothing_is_lost_or_read_twice() {
    let seed = 11;
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..25 {
        let catalog = actions(rng.usize(..60));
        let server = start(catalog.clone());
        let page_limit = rng.usize(1..25);
        let (records, _) = read(&hub(AutomationHubConfig { page_limit, ..config("hub", &server) })).expect("a pass");
        assert_eq!(ids(&records), offered(&catalog), "seed {seed}, round {round}, pages of {page_limit}");
    }
}

#[test]
fn the_fields_may_have_other_names() {
    let text = r#"
        name = "hub"
        base_url = "http://127.0.0.1:1"
        etag_covers = "catalog"
        [fields]
        actions = "data.items"
        next_cursor = "/page/next.cursor"
        id = "ref"
        required_permissions = "security.permissions"
    "#;
    let config: AutomationHubConfig = toml::from_str(text).expect("a configuration");
    assert_eq!(config.etag_covers, EtagCovers::Catalog);
    let page = json!({
        "data": { "items": [{ "ref": "a:b@1.0.0", "security": { "permissions": ["p"] } }] },
        "page": { "next.cursor": null },
    });
    let server = start(Vec::new());
    server.plan([Some(Fault::Body(page.to_string()))]);
    let (records, _) = read(&hub(AutomationHubConfig { base_url: server.base_url(), ..config })).expect("a pass");
    let tool = records[0].as_ref().expect("a tool");
    assert_eq!(tool.required_scopes, ScopeRequirement::all_of(["p"]));
    let unknown = toml::from_str::<AutomationHubConfig>(&text.replace("id =", "ident ="));
    assert!(unknown.is_err_and(|error| error.to_string().contains("ident")));
}

#[test]
fn a_page_may_be_the_list_itself() {
    let server = start(Vec::new());
    server.plan([Some(Fault::Body(json!([action("a:b@1.0.0", "x")]).to_string()))]);
    let fields = FieldMap { actions: String::new(), next_cursor: String::new(), ..FieldMap::default() };
    let (records, _) = read(&hub(AutomationHubConfig { fields, ..config("hub", &server) })).expect("a pass");
    assert_eq!(ids(&records), ["a:b@1.0.0"]);
}

#[test]
fn an_unchanged_catalog_costs_no_body() {
    let server = start(actions(25));
    let check = |source: AutomationHub, n_requests: usize| {
        let (_, state) = read(&source).expect("a pass");
        server.take_requests();
        let again = source.fetch(Some(&state), &mut |record| assert!(record.is_err(), "nothing is given"));
        assert_eq!(again.ok(), Some(Fetched::Unchanged));
        let statuses: Vec<u16> = server.take_requests().into_iter().map(|request| request.status).collect();
        assert_eq!(statuses, vec![304; n_requests]);
    };
    check(hub(config("hub", &server)), 3);
    server.with_catalog_etag();
    check(hub(AutomationHubConfig { etag_covers: EtagCovers::Catalog, ..config("hub", &server) }), 1);
}

#[test]
fn an_etag_that_covers_the_catalog_need_not_stand_on_every_page() {
    let page = |id: &str, next: Value| json!({ "actions": [action(id, "x")], "nextCursor": next }).to_string();
    let (first, second) = (page("a:b@1.0.0", json!("at-1")), page("a:c@1.0.0", Value::Null));
    for etag_of_second in [None, Some("\"second\"")] {
        let (first, second) = (first.clone(), second.clone());
        let server =
            Wire::start(move |asked, to| match (asked.target.contains("cursor="), asked.header("if-none-match")) {
                (true, _) => {
                    let etag: Vec<(&str, &str)> = etag_of_second.map(|etag| ("ETag", etag)).into_iter().collect();
                    reply(to, "200 OK", &etag, second.as_bytes())
                }
                (false, Some("\"all\"")) => reply(to, "304 Not Modified", &[("ETag", "\"all\"")], b""),
                (false, _) => reply(to, "200 OK", &[("ETag", "\"all\"")], first.as_bytes()),
            });
        let config = AutomationHubConfig::new("hub", &server.url(""));
        let source = hub(AutomationHubConfig { etag_covers: EtagCovers::Catalog, ..config });
        let (records, state) = read(&source).expect("a pass");
        assert_eq!(ids(&records), ["a:b@1.0.0", "a:c@1.0.0"]);
        let again = source.fetch(Some(&state), &mut |_| panic!("nothing is to be given"));
        assert_eq!(again.ok(), Some(Fetched::Unchanged));
    }
}

#[test]
fn a_change_on_the_last_page_is_seen_although_the_first_page_stays() {
    let mut catalog = actions(25);
    let server = start(catalog.clone());
    let source = hub(config("hub", &server));
    let (_, state) = read(&source).expect("a pass");
    catalog[24]["description"] = json!("Something else.");
    server.replace(catalog);
    let mut records = Vec::new();
    let fetched = source.fetch(Some(&state), &mut |record| records.push(record));
    assert!(matches!(fetched, Ok(Fetched::Complete(_))));
    assert_eq!(records.len(), 25);
    assert!(records[24].as_ref().is_ok_and(|tool| tool.description == "Something else."));
}

#[test]
fn without_etags_and_with_another_configuration_everything_is_read() {
    let server = start(actions(5));
    let (_, state) = read(&hub(config("hub", &server))).expect("a pass");
    let reads_all = |source: &AutomationHub, state: &SourceState| {
        let mut n_records = 0;
        let fetched = source.fetch(Some(state), &mut |_| n_records += 1);
        assert!(matches!(fetched, Ok(Fetched::Complete(_))));
        assert_eq!(n_records, 5);
    };
    // A field that is mapped anew makes other tools of the same pages.
    let fields = FieldMap { title: "name".into(), ..FieldMap::default() };
    reads_all(&hub(AutomationHubConfig { fields, ..config("hub", &server) }), &state);
    reads_all(&hub(config("hub", &server)), &SourceState::from([("pages".into(), "nonsense".into())]));
    server.without_etags();
    let source = hub(config("hub", &server));
    let (_, state) = read(&source).expect("a pass");
    reads_all(&source, &state);
}

#[test]
fn a_bad_record_is_rejected_alone_and_with_its_reason() {
    let server = start(vec![
        action("a:good@1.0.0", ""),
        action("no-colon", ""),
        action("a:bad@one", ""),
        json!({ "title": "nameless" }),
        json!("text"),
        json!({ "id": "a:perm@1.0.0", "requiredPermissions": "admin" }),
        json!({ "id": "a:schema@1.0.0", "inputSchema": [1] }),
        action("a:also good@1.0.0", ""),
    ]);
    let (records, _) = read(&hub(config("hub", &server))).expect("a pass");
    assert_eq!(ids(&records), ["a:good@1.0.0", "a:also good@1.0.0"]);
    let rejections: Vec<&Rejection> = records.iter().filter_map(|record| record.as_ref().err()).collect();
    let said: Vec<(&str, bool)> = rejections
        .iter()
        .zip(["':'", "semantic version", "\"id\"", "object", "list of texts", "schema"])
        .map(|(rejection, part)| (rejection.record.as_str(), rejection.reason.contains(part)))
        .collect();
    let expected =
        ["no-colon", "a:bad@one", "action 4 of page 1", "action 5 of page 1", "a:perm@1.0.0", "a:schema@1.0.0"];
    assert_eq!(said, expected.map(|record| (record, true)), "{rejections:?}");
}

#[test]
fn hiccups_are_retried_with_growing_patience() {
    let catalog = actions(12);
    let check = |faults: Vec<Option<Fault>>, waited: &[std::ops::RangeInclusive<f64>]| {
        let server = start(catalog.clone());
        server.plan(faults.clone());
        let waits = Waits::default();
        let source = AutomationHub::with_pause(config("hub", &server), &loopback(), None, waits.pause())
            .expect("a configuration");
        let (records, _) = read(&source).expect("a pass in the end");
        assert_eq!(ids(&records), offered(&catalog), "{faults:?}");
        let seconds = waits.seconds();
        assert_eq!(seconds.len(), waited.len(), "{faults:?} waited {seconds:?}");
        assert!(seconds.iter().zip(waited).all(|(wait, range)| range.contains(wait)), "{faults:?} waited {seconds:?}");
    };
    let status = |status, wait| Some(Fault::Status(status, wait));
    check(
        vec![status(500, None), status(502, None), status(503, None), status(504, None)],
        &[0.5..=1.0, 1.0..=2.0, 2.0..=4.0, 4.0..=8.0],
    );
    check(vec![None, status(429, Some(7))], &[7.0..=7.7]);
    check(vec![None, Some(Fault::Cut), Some(Fault::Cut)], &[0.5..=1.0, 1.0..=2.0]);
}

#[test]
fn a_hub_that_stays_down_ends_the_pass_after_bounded_attempts() {
    let server = start(actions(3));
    server.plan((0..9).map(|_| Some(Fault::Status(503, None))));
    let error = failure(&hub(config("hub", &server)));
    assert!(matches!(error, SourceError::Status { status: 503, .. }), "{error}");
    assert_eq!(server.take_requests().len(), 5);

    let gone = config("hub", &server);
    drop(server);
    let error = failure(&hub(gone));
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("/api/catalog/actions"), "{error}");
}

#[test]
fn a_hub_that_is_too_slow_is_not_waited_for() {
    let server = start(actions(3));
    server.plan((0..5).map(|_| Some(Fault::Slow(Duration::from_secs(3_600)))));
    let started = std::time::Instant::now();
    let error = failure(&hub(AutomationHubConfig { timeout_s: 1, ..config("hub", &server) }));
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(60), "five attempts of a second each");
}

#[test]
fn a_hub_that_drips_or_sends_a_bomb_is_not_taken() {
    let server = start(actions(3));
    server.plan((0..5).map(|_| Some(Fault::Drip(Duration::from_millis(50)))));
    let error = failure(&hub(AutomationHubConfig { timeout_s: 1, ..config("hub", &server) }));
    assert!(matches!(error, SourceError::Unreachable { .. }) && error.to_string().contains("complete"), "{error}");
    assert_eq!(server.take_requests().len(), 5);

    server.plan([Some(Fault::Bomb(64 * 1024 * 1024))]);
    let error = failure(&hub(config("hub", &server)));
    assert!(matches!(error, SourceError::TooLarge { unit: "bytes", .. }), "{error}");
    assert_eq!(server.take_requests().len(), 1, "a bomb is not fetched twice");
}

#[test]
fn a_page_that_breaks_the_contract_ends_the_pass_and_says_what_came() {
    let check = |fault: Fault, parts: &[&str]| {
        let server = start(actions(25));
        server.plan([None, Some(fault)]);
        let message = failure(&hub(config("hub", &server))).to_string();
        for part in parts.iter().chain(&["\"hub\"", "/api/catalog/actions"]) {
            assert!(message.contains(part), "{part} is not in {message}");
        }
    };
    check(Fault::Body("<html>".into()), &["JSON"]);
    check(Fault::Body("{\"actions\":[".into()), &["JSON"]);
    check(Fault::Body("{\"items\":[]}".into()), &["\"actions\"", "fields.actions"]);
    check(Fault::Body("{\"actions\":{}}".into()), &["an object"]);
    check(Fault::NextCursor(json!(7)), &["a number"]);
    check(Fault::NextCursor(json!("x".repeat(5_000))), &["5000 bytes"]);
    check(Fault::NextCursor(json!("at-10")), &["an earlier page gave"]);
    check(Fault::Body("[".repeat(100_000)), &["JSON"]);
    check(Fault::Body(" ".repeat(33 * 1024 * 1024)), &["33554432 bytes"]);
}

#[test]
fn what_a_status_means_is_said() {
    let check = |status: u16, part: &str| {
        let server = start(actions(1));
        server.plan([Some(Fault::Status(status, None))]);
        let message = failure(&hub(config("hub", &server))).to_string();
        assert!(message.contains(part), "{part} is not in {message}");
        assert_eq!(server.take_requests().len(), 1, "{status} is not retried");
    };
    check(401, "token");
    check(403, "right");
    check(404, "base_url");
    check(304, "check the source's address");
    check(418, "418");
}

#[test]
fn an_empty_cursor_is_a_cursor_unless_it_is_said_to_be_the_end() {
    let server = start(actions(5));
    // The cursor is put in once; with ETags the page would be found changed after the read.
    server.without_etags();
    server.plan([Some(Fault::NextCursor(json!("")))]);
    let (records, _) = read(&hub(config("hub", &server))).expect("a pass");
    assert_eq!(records.len(), 10, "the empty cursor was sent, and this hub takes it for the start");
    assert!(server.take_requests().iter().any(|request| request.cursor.as_deref() == Some("")));

    server.plan((0..2).map(|_| Some(Fault::NextCursor(json!("")))));
    assert!(failure(&hub(config("hub", &server))).to_string().contains("empty_cursor_ends"));

    server.plan([Some(Fault::NextCursor(json!("")))]);
    let (records, _) =
        read(&hub(AutomationHubConfig { empty_cursor_ends: true, ..config("hub", &server) })).expect("a pass");
    assert_eq!(records.len(), 5);
}

#[test]
fn a_catalog_that_changes_while_it_is_read_is_read_again() {
    // With the first action gone, what was the second page's first stands on the first page, which was read already.
    let before = actions(25);
    let after = before[1..].to_vec();
    let server = start(before);
    server.plan([None, Some(Fault::Change(after.clone()))]);
    let (records, _) = read(&hub(config("hub", &server))).expect("a pass");
    assert_eq!(ids(&records), offered(&after));

    let server = start(actions(25));
    server.with_catalog_etag();
    server.plan([None, Some(Fault::Change(after.clone()))]);
    let source = hub(AutomationHubConfig { etag_covers: EtagCovers::Catalog, ..config("hub", &server) });
    assert_eq!(ids(&read(&source).expect("a pass").0), offered(&after));
}

#[test]
fn a_catalog_that_never_rests_ends_the_pass() {
    let server = start(actions(25));
    server.plan((0..100).map(|i| Some(Fault::Change(actions(25 + i)))));
    let error = failure(&hub(config("hub", &server)));
    assert!(matches!(error, SourceError::Changed { .. }), "{error}");
}

#[test]
fn an_expired_cursor_starts_the_pass_again() {
    let catalog = actions(25);
    let server = start(catalog.clone());
    server.plan([None, None, Some(Fault::Status(410, None))]);
    let source = hub(config("hub", &server));
    let (records, state) = read(&source).expect("a pass");
    assert_eq!(ids(&records), offered(&catalog));

    // Some say of an expired cursor that they do not know it; the catalog is read all the same.
    for status in [400, 404] {
        server.plan([None, Some(Fault::Status(status, None))]);
        let mut records = Vec::new();
        let again = source.fetch(Some(&state), &mut |record| records.push(record));
        assert!(matches!(again, Ok(Fetched::Complete(_))), "{status}: {again:?}");
        assert_eq!(ids(&records), offered(&catalog), "{status}");
    }

    server.expire_cursors(true);
    let error = source.fetch(Some(&state), &mut |_| {}).expect_err("no pass reaches the end");
    assert!(matches!(error, SourceError::Changed { .. }), "{error}");
}

#[test]
fn a_redirect_is_followed_on_its_host_alone_and_takes_no_token_elsewhere() {
    let other = start(actions(1));
    let server = start(actions(3));
    server.plan([Some(Fault::Redirect(format!("{}/api/catalog/actions", other.base_url())))]);
    let message = failure(&hub(config("hub", &server))).to_string();
    assert!(message.contains("another host"), "{message}");
    assert!(other.take_requests().is_empty());

    server.plan([Some(Fault::Redirect("/api/catalog/actions?limit=2".into()))]);
    assert_eq!(read(&hub(config("hub", &server))).expect("a pass").0.len(), 3);
}

#[test]
fn the_token_is_sent_and_a_broken_one_is_refused_before() {
    let server = start(actions(1));
    read(&hub(config("hub", &server))).expect("a pass");
    let sent: Vec<Option<String>> = server.take_requests().into_iter().map(|request| request.authorization).collect();
    assert!(sent.iter().all(|header| header.as_deref() == Some("Bearer s3cret-token")), "{sent:?}");
    let broken = AutomationHub::new(config("hub", &server), &loopback(), bearer("s3cret\nline"));
    let message = broken.map(|_| ()).expect_err("a line end cannot stand in a header").to_string();
    assert!(!message.contains("s3cret") && message.contains("token"), "{message}");
}

#[test]
fn any_catalog_in_the_common_format_can_be_offered() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/relevance/azure_mcp/tools.jsonl");
    let path = if path.exists() { path } else { path.with_extension("jsonl.gz") };
    if !path.exists() {
        println!("../shared/relevance/azure_mcp is absent, so this test has nothing to read");
        return;
    }
    let catalog = actions_of_jsonl(&path, usize::MAX).expect("the common format");
    let server = start(catalog.clone());
    let (records, _) = read(&hub(AutomationHubConfig { page_limit: 100, ..config("hub", &server) })).expect("a pass");
    assert_eq!(ids(&records), offered(&catalog));
    assert!(records.len() > 300);
}
