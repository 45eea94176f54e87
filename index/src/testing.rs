//! Random tools for unit tests.

use crate::schema::Schema;
use crate::tool::Tool;
use crate::tool_ref::ToolRef;

const VERBS: [&str; 8] = ["list", "get", "delete", "create", "update", "search", "watch", "export"];
const NOUNS: [&str; 10] =
    ["file", "folder", "calendar", "event", "user", "invoice", "bucket", "message", "report", "карта"];

/// `n` different tools, the same for the same seed, in ref order.
pub(crate) fn random_tools(seed: u64, n: usize) -> Vec<Tool> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tools: Vec<Tool> = (0..n)
        .map(|place| {
            let (verb, noun) = (VERBS[rng.usize(..VERBS.len())], NOUNS[rng.usize(..NOUNS.len())]);
            let other = NOUNS[rng.usize(..NOUNS.len())];
            let name = format!("{noun}s.{verb}{place}");
            let namespace = format!("space{}", rng.usize(..7));
            let words = (0..rng.usize(..12)).map(|_| NOUNS[rng.usize(..NOUNS.len())]).collect::<Vec<_>>().join(" ");
            let schema = format!(r#"{{"properties":{{"{noun}Id":{{"description":"The {noun} to {verb}"}}}}}}"#);
            Tool {
                reference: ToolRef::new("test", &namespace, &name, None).expect("a ref"),
                name,
                title: rng.bool().then(|| format!("{verb} {noun}s")),
                description: format!("To {verb} a {noun} of the {other}. {words}"),
                input_schema: rng.bool().then(|| Schema::from_json(&schema).expect("a schema")),
                output_schema: None,
                annotations: Default::default(),
                tags: vec![other.to_owned()],
                execution: Default::default(),
                required_scopes: Default::default(),
                deprecation: None,
                provenance: Default::default(),
            }
        })
        .collect();
    tools.sort_by(|a, b| a.reference.cmp(&b.reference));
    tools
}
