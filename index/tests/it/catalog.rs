//! Random catalogs, grants and queries, the same for the same seed.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use shortlist_index::{
    Annotations, Embedder, Grant, HashingEmbedder, Models, NewGeneration, Pattern, Provenance, Schema,
    ScopeRequirement, Selector, Snapshot, Store, TextRole, Tool, ToolRef,
};

pub const DIMENSION: usize = 64;

const VERBS: [&str; 8] = ["list", "get", "delete", "create", "update", "search", "watch", "export"];
const NOUNS: [&str; 9] = ["file", "folder", "calendar", "event", "user", "invoice", "bucket", "message", "отчёт"];
const SCOPES: [&str; 4] = ["drive", "mail", "admin", "billing"];

fn one<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

/// `n` tools, fewer where two came out the same; with several versions, duplicates in all but name, tags, scopes and
/// deprecations.
pub fn tools(rng: &mut Rng, n: usize) -> Vec<Tool> {
    let mut tools = BTreeMap::new();
    for _ in 0..n {
        let (verb, noun) = (one(rng, &VERBS), one(rng, &NOUNS));
        let name = format!("{noun}s.{verb}{}", rng.u32(..4));
        let namespace = format!("space{}", rng.usize(..6));
        let source = one(rng, &["hub", "mcp"]);
        // A source has versions, or it has none.
        let version = (source == "hub").then(|| format!("{}.0.0{}", rng.u32(1..4), one(rng, &["", "", "-rc.1"])));
        let version = version.map(|version| version.parse().expect("a version"));
        let reference = ToolRef::new(source, &namespace, &name, version).expect("a ref");
        let words: Vec<&str> = (0..rng.usize(..10)).map(|_| one(rng, &NOUNS)).collect();
        let scopes: Vec<&str> = (0..rng.usize(..3)).map(|_| one(rng, &SCOPES)).collect();
        let schema = format!(r#"{{"properties":{{"{noun}Id":{{"type":"string","description":"The {noun}"}}}}}}"#);
        let tool = Tool {
            reference: reference.clone(),
            name,
            title: rng.bool().then(|| format!("{verb} a {noun}")),
            description: format!("To {verb} one {noun}. {}", words.join(" ")),
            input_schema: rng.bool().then(|| Schema::from_json(&schema).expect("a schema")),
            output_schema: None,
            annotations: annotations(rng),
            tags: BTreeSet::from([one(rng, &["red", "green", "blue"]).to_owned()]).into_iter().collect(),
            execution: Default::default(),
            required_scopes: if rng.bool() {
                ScopeRequirement::any_of(scopes)
            } else {
                ScopeRequirement::all_of(scopes)
            },
            deprecation: (rng.u32(..10) == 0).then(|| "superseded".to_owned()),
            provenance: Provenance { source_type: "random".to_owned(), foreign_id: reference.to_string() },
        };
        tools.insert(reference, tool);
    }
    tools.into_values().collect()
}

fn annotations(rng: &mut Rng) -> Annotations {
    let mut claim = || rng.bool().then(|| rng.bool());
    Annotations { read_only: claim(), destructive: claim(), idempotent: claim(), open_world: claim() }
}

fn selector(rng: &mut Rng) -> Selector {
    let pattern = |text: String| vec![Pattern::new(&text).expect("a glob")];
    let mut selector = Selector::default();
    match rng.u32(..7) {
        0 => selector.namespaces = pattern(format!("space{}", rng.u32(..6))),
        1 => selector.refs = pattern(format!("*://*.{}*", one(rng, &NOUNS))),
        2 => selector.sources = pattern(one(rng, &["hub", "mcp"]).to_owned()),
        3 => selector.tags = pattern(one(rng, &["red", "green", "blue"]).to_owned()),
        4 => selector.required_scopes = pattern(one(rng, &SCOPES).to_owned()),
        5 => selector.scopes_held = true,
        _ => selector.annotations = annotations(rng),
    }
    selector
}

/// A grant in its parts.
pub struct Spec {
    allow: Vec<Selector>,
    deny: Vec<Selector>,
    held: BTreeSet<String>,
}

impl Spec {
    /// Up to three allows and two denials.
    pub fn random(rng: &mut Rng) -> Self {
        let allow = (0..rng.usize(..4)).map(|_| selector(rng)).collect();
        let deny = (0..rng.usize(..3)).map(|_| selector(rng)).collect();
        let held = (0..rng.usize(..3)).map(|_| one(rng, &SCOPES).to_owned()).collect();
        Self { allow, deny, held }
    }

    pub fn parts(&self) -> (&[Selector], &[Selector], &BTreeSet<String>) {
        (&self.allow, &self.deny, &self.held)
    }

    pub fn grant(&self) -> Grant {
        Grant::new(self.allow.clone(), self.deny.clone(), self.held.clone())
    }

    /// Whether it shows a tool, decided from the words of the specification alone: the plain twin of the bitmaps.
    pub fn sees(&self, tool: &Tool) -> bool {
        let picks = |selector: &Selector| {
            let Selector { refs, namespaces, sources, tags, required_scopes, scopes_held, annotations } = selector;
            let any = |patterns: &[Pattern], values: &[&str]| {
                patterns.is_empty() || values.iter().any(|value| patterns.iter().any(|pattern| pattern.matches(value)))
            };
            let printed = tool.reference.to_string();
            let unversioned = printed.split('@').next().unwrap_or_default();
            let alternatives: Vec<&BTreeSet<String>> = tool.required_scopes.iter().collect();
            let scopes: Vec<&str> = alternatives.iter().copied().flatten().map(String::as_str).collect();
            let met =
                alternatives.is_empty() || alternatives.iter().any(|all| all.iter().all(|s| self.held.contains(s)));
            any(refs, &[&printed, unversioned])
                && any(namespaces, &[tool.reference.namespace()])
                && any(sources, &[tool.reference.source()])
                && any(tags, &tool.tags.iter().map(String::as_str).collect::<Vec<_>>())
                && any(required_scopes, &scopes)
                && (!scopes_held || met)
                && annotations.read_only.is_none_or(|claim| tool.annotations.read_only == Some(claim))
                && annotations.destructive.is_none_or(|claim| tool.annotations.destructive == Some(claim))
                && annotations.idempotent.is_none_or(|claim| tool.annotations.idempotent == Some(claim))
                && annotations.open_world.is_none_or(|claim| tool.annotations.open_world == Some(claim))
        };
        self.allow.iter().any(picks) && !self.deny.iter().any(picks)
    }
}

pub fn query(rng: &mut Rng) -> String {
    let phrase = |rng: &mut Rng| format!("{} the {} of a {}", one(rng, &VERBS), one(rng, &NOUNS), one(rng, &NOUNS));
    match rng.u32(..6) {
        4 => format!("{}_{}", one(rng, &VERBS), slip(one(rng, &NOUNS), rng)),
        0 => format!("{}s.{}{}", one(rng, &NOUNS), one(rng, &VERBS), rng.u32(..4)),
        1 => format!("how do I {}?", phrase(rng)),
        3 => format!("{}. Then {}; {}", phrase(rng), phrase(rng), phrase(rng)),
        2 => one(rng, &NOUNS).to_owned(),
        _ => "nothing of the kind".to_owned(),
    }
}

/// The word without one of its inner letters.
fn slip(word: &str, rng: &mut Rng) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() > 2 {
        letters.remove(rng.usize(1..letters.len() - 1));
    }
    letters.into_iter().collect()
}

/// A tool that says no more than this.
pub fn tool(namespace: &str, name: &str, description: &str) -> Tool {
    Tool::new(ToolRef::new("hub", namespace, name, None).expect("a ref"), description)
}

/// A store with the tools as its first generation.
pub struct Published {
    _home: tempfile::TempDir,
    pub store: Store,
}

impl Published {
    pub fn new(tools: &[Tool]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let published = Self { store: Store::new(home.path()), _home: home };
        published.publish(tools);
        published
    }

    pub fn publish(&self, tools: &[Tool]) -> u64 {
        let lock = self.store.lock().expect("nobody else writes");
        self.store.publish(&lock, generation(tools), &mut |_| {}).expect("it is published")
    }

    pub fn snapshot(&self) -> Snapshot {
        self.store.open_current().expect("it opens").snapshot
    }
}

pub fn generation(tools: &[Tool]) -> NewGeneration {
    let embedder = HashingEmbedder::new(DIMENSION);
    let embed = |tool: &Tool| embedder.embed(TextRole::Document, &tool.embedding_text()).expect("a vector");
    NewGeneration {
        tools: tools.iter().map(|tool| (tool.clone(), embed(tool))).collect(),
        embedder: embedder.fingerprint().clone(),
        dimension: DIMENSION,
        sources: BTreeMap::new(),
        created_unix_s: 0,
    }
}

pub fn models() -> Models {
    Models { embedder: Some(std::sync::Arc::new(HashingEmbedder::new(DIMENSION))), reranker: None }
}
