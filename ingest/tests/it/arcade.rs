//! The Arcade source against Arcade's own worker, of the package `arcade-mcp-server`.

use std::process::Command;

use serde_json::{Value, json};
use shortlist_index::{Annotations, ScopeRequirement};
use shortlist_ingest::error::SourceError;
use shortlist_ingest::network::{Secret, Token};
use shortlist_ingest::source::arcade::{Arcade, ArcadeConfig};
use shortlist_ingest::source::{Fetched, Source};
use shortlist_ingest::testing::{Peer, loopback};

use crate::support::{Place, Waits, peer_file, peer_python, read_all};

const SECRET: &str = "a-secret-of-the-worker-and-its-engine";

/// Arcade's worker with the tools of `tests/peers/arcade_worker.py`.
fn worker(version: &str) -> Peer {
    let python = peer_python("arcade");
    let peer = Peer::listening(|port| {
        let mut command = Command::new(&python);
        command.arg(peer_file("arcade_worker.py")).arg(port.to_string()).arg(version);
        // It reports its use to its makers unless told not to.
        command.env("ARCADE_USAGE_TRACKING", "0").env("ARCADE_WORKER_SECRET", SECRET);
        command
    });
    peer.expect("the worker listens")
}

fn source(worker: &Peer, secret: &str) -> Arcade {
    let config = ArcadeConfig::new("desk", &worker.base_url());
    let secret = Secret::Fixed(Token::new(secret).expect("a secret"));
    Arcade::with_pause(&config, &loopback(), secret, Waits::default().pause()).expect("a valid configuration")
}

fn schema(schema: Option<&shortlist_index::Schema>) -> Value {
    schema.map(shortlist_index::Schema::to_value).unwrap_or_default()
}

#[test]
fn a_real_workers_tools_are_taken_with_all_they_say() {
    let worker = worker("1.4.0");
    let source = source(&worker, SECRET);
    let (state, tools, rejections) = read_all(&source).expect("a pass");
    assert_eq!(rejections, []);
    let refs: Vec<String> = tools.iter().map(|tool| tool.reference.to_string()).collect();
    let names = ["AddNumbers", "SendMail", "ListChannels", "FindContact", "PrintPage", "FaxPage"];
    assert_eq!(refs, names.map(|name| format!("desk://OfficeDesk.{name}@1.4.0")));
    let [add, mail, channels, contact, print, fax] = &tools[..] else { panic!("six tools") };

    assert_eq!((add.description.as_str(), &add.deprecation), ("Adds two numbers.", &None));
    assert_eq!(add.provenance.foreign_id, "OfficeDesk.AddNumbers@1.4.0");
    assert_eq!(
        (&add.execution.auth_type, add.execution.requires_obo, add.required_scopes.is_none()),
        (&None, false, true)
    );
    assert_eq!(
        schema(add.input_schema.as_ref()),
        json!({
            "type": "object", "required": ["a"], "additionalProperties": false,
            "properties": {
                "a": { "type": "integer", "description": "The first number" },
                "b": { "type": "integer", "description": "The second number" },
            },
        })
    );
    assert_eq!(schema(add.output_schema.as_ref()), json!({ "type": "integer", "description": "The sum" }));

    let google =
        ["gmail.readonly", "gmail.send"].map(|scope| format!("google:https://www.googleapis.com/auth/{scope}"));
    assert_eq!(mail.required_scopes, ScopeRequirement::all_of(google));
    assert_eq!((mail.execution.auth_type.as_deref(), mail.execution.requires_obo), (Some("oauth2"), true));
    let claimed = Annotations {
        read_only: Some(false),
        destructive: Some(false),
        idempotent: Some(false),
        open_world: Some(true),
    };
    assert_eq!(mail.annotations, claimed);
    assert_eq!(mail.tags, ["email", "operation:create"]);
    let input = schema(mail.input_schema.as_ref());
    assert_eq!(input["required"], json!(["to"]));
    assert_eq!(
        input["properties"]["to"],
        json!({ "type": "array", "items": { "type": "string" }, "description": "Who gets it" })
    );
    assert_eq!(input["properties"]["priority"]["enum"], json!(["low", "high"]));
    assert_eq!(input["properties"]["kind"]["enum"], json!(["plain", "html"]));

    assert_eq!(channels.required_scopes, ScopeRequirement::all_of(["slack"]));
    assert_eq!(schema(channels.input_schema.as_ref())["properties"], json!({}));

    assert_eq!(contact.required_scopes, ScopeRequirement::all_of(["@crm:contacts:read"]));
    let address = json!({
        "type": "object", "required": ["street"], "additionalProperties": false,
        "properties": { "street": { "type": "string" }, "zip": { "type": "integer" } },
    });
    let person = json!({
        "type": "object", "required": ["address", "name"], "additionalProperties": false,
        "properties": { "name": { "type": "string" }, "address": address },
    });
    let mut output = person.clone();
    output["description"] = json!("The contact");
    assert_eq!(schema(contact.output_schema.as_ref()), output);

    assert_eq!((print.execution.auth_type.as_deref(), print.execution.requires_obo), (Some("secret"), false));
    assert!(print.required_scopes.is_none(), "secrets are the worker's");
    let input = schema(print.input_schema.as_ref());
    assert_eq!(input["properties"]["people"]["items"], person);
    assert_eq!(input["properties"]["labels"]["items"], json!({ "type": "string", "enum": ["low", "high"] }));
    assert_eq!(input["properties"]["options"], json!({ "type": "object", "description": "Anything else" }));
    assert_eq!(
        (&input["properties"]["scale"]["type"], &input["properties"]["color"]["type"]),
        (&json!("number"), &json!("boolean"))
    );

    assert_eq!(fax.deprecation.as_deref(), Some("Use PrintPage."));
    assert_eq!(fax.required_scopes, ScopeRequirement::all_of(["google:openid"]));

    let again = source.fetch(Some(&state), &mut |_| panic!("nothing is to be given")).expect("a pass");
    assert_eq!(again, Fetched::Unchanged);
}

#[test]
fn a_worker_is_synced_and_its_new_version_follows() {
    let place = Place::new();
    let (old, new) = (worker("0.9.0"), worker("1.0.0"));
    for (worker, version) in [(&old, "0.9.0"), (&new, "1.0.0")] {
        let report = place.sync(&[Box::new(source(worker, SECRET))]).expect("a pass");
        assert_eq!((report.published, report.n_tools()), (true, 6));
        assert!(place.tools().keys().all(|tool| tool.ends_with(&format!("@{version}"))), "{:?}", place.tools());
    }
}

#[test]
fn a_wrong_secret_is_told_as_one_and_is_not_printed() {
    let worker = worker("1.4.0");
    let error = read_all(&source(&worker, "another-secret-than-the-workers-own")).expect_err("refused");
    let text = error.to_string();
    assert!(matches!(error, SourceError::Status { status: 401, .. }), "{text}");
    assert!(text.contains("did not accept the worker secret") && text.contains("ARCADE_WORKER_SECRET"), "{text}");
    assert!(!format!("{text}{error:?}").contains("another-secret"), "{text}");
    let elsewhere = ArcadeConfig::new("desk", &format!("{}/elsewhere", worker.base_url()));
    let secret = Secret::Fixed(Token::new(SECRET).expect("a secret"));
    let source = Arcade::new(&elsewhere, &loopback(), secret).expect("a valid configuration");
    let error = read_all(&source).expect_err("there is nothing").to_string();
    assert!(error.contains("404") && error.contains("/worker/tools"), "{error}");
}

#[test]
fn a_configuration_that_cannot_work_is_refused_with_its_key() {
    let check = |change: &dyn Fn(&mut ArcadeConfig), part: &str| {
        let mut config = ArcadeConfig::new("desk", "https://worker.example");
        change(&mut config);
        let secret = Secret::Fixed(Token::new(SECRET).expect("a secret"));
        let error = Arcade::new(&config, &loopback(), secret).err().expect(part).to_string();
        assert!(error.contains(part), "{error} should say {part:?}");
    };
    check(&|config| config.base_url = "worker".into(), "base_url");
    check(&|config| config.base_url = "https://worker.example/?a=b".into(), "no query");
    check(&|config| config.base_url = "http://10.9.8.7".into(), "10.9.8.7");
    check(&|config| config.timeout_s = 0, "timeout_s");
    assert!(
        ArcadeConfig::new("desk", "https://worker.example").check().is_err_and(|error| error.contains("secret_env"))
    );
}
