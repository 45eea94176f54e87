//! [`Tool`]: one thing an agent can call, as its source describes it.

use sha2::{Digest, Sha256};

use crate::schema::Schema;
use crate::scopes::ScopeRequirement;
use crate::tool_ref::ToolRef;

/// The longest summary, in characters.
const SUMMARY_CHARS_MAX: usize = 160;

/// One tool, normalised from its source's record. Immutable inside a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its public identity.
    pub reference: ToolRef,
    /// What its source calls it; usually the ref's name, but need not be unique.
    pub name: String,
    /// A short human title, where the source gives one.
    pub title: Option<String>,
    /// What it does, in the source's words; may be empty.
    pub description: String,
    /// What it takes.
    pub input_schema: Option<Schema>,
    /// What it gives back.
    pub output_schema: Option<Schema>,
    /// What it claims about its effects.
    pub annotations: Annotations,
    /// Labels, sorted, without duplicates.
    pub tags: Vec<String>,
    /// How a hub dispatches it.
    pub execution: Execution,
    /// Which OAuth scopes or permissions its caller needs.
    pub required_scopes: ScopeRequirement,
    /// Why or since when it should not be used any more; `None` while it is current.
    pub deprecation: Option<String>,
    /// Where it came from.
    pub provenance: Provenance,
}

/// A source's claims about what a call does; `None` where it says nothing. The names are those of MCP's tool annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may delete or overwrite.
    pub destructive: Option<bool>,
    /// Calling it again with the same arguments changes nothing more.
    pub idempotent: Option<bool>,
    /// It reaches beyond a closed set of entities.
    pub open_world: Option<bool>,
}

impl Annotations {
    /// Each claim with its name, always in this order.
    pub fn named(&self) -> [(&'static str, Option<bool>); 4] {
        let Self { read_only, destructive, idempotent, open_world } = *self;
        [("read_only", read_only), ("destructive", destructive), ("idempotent", idempotent), ("open_world", open_world)]
    }

    /// Whether `claims` say the same of everything that these say something of.
    pub fn are_claimed_by(&self, claims: &Self) -> bool {
        self.named().iter().zip(claims.named()).all(|((_, wanted), (_, claim))| wanted.is_none() || *wanted == claim)
    }
}

/// What a hub needs to know to dispatch a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// The source's word for how it runs, such as `sync` or `async`.
    pub mode: Option<String>,
    /// The downstream authentication, such as `oauth2` or `api_key`.
    pub auth_type: Option<String>,
    /// Whether the call must be made on behalf of a user.
    pub requires_obo: bool,
}

/// Where a tool came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The kind of source, such as `google_discovery`.
    pub source_type: String,
    /// The record's identity in the source's own terms.
    pub foreign_id: String,
}

/// SHA-256 over everything a tool says: equal hashes, equal tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// Lower-case hexadecimal, 64 characters.
    pub fn to_hex(self) -> String {
        crate::hex::encode(&self.0)
    }
}

impl Tool {
    /// A tool that says no more than this: everything else is empty, and its name is that of its ref.
    pub fn new(reference: ToolRef, description: impl Into<String>) -> Self {
        Self {
            name: reference.name().to_owned(),
            reference,
            title: None,
            description: description.into(),
            input_schema: None,
            output_schema: None,
            annotations: Annotations::default(),
            tags: Vec::new(),
            execution: Execution::default(),
            required_scopes: ScopeRequirement::none(),
            deprecation: None,
            provenance: Provenance::default(),
        }
    }

    /// One line for a list: the title where there is one, else the description's first sentence, else the name. At most
    /// 160 characters.
    pub fn summary(&self) -> String {
        let line = match &self.title {
            Some(title) if !title.trim().is_empty() => title.trim(),
            _ => first_sentence(&self.description),
        };
        shorten(if line.is_empty() { &self.name } else { line })
    }

    /// The text whose embedding stands for the tool: its names in words, what it says of itself, and the names of its own
    /// parameters.
    ///
    /// Name and namespace matter as much as prose here: of two siblings with boilerplate descriptions only the name tells
    /// which is meant. Parameter names raise the dense leg on every development set that has them.
    pub fn embedding_text(&self) -> String {
        let mut text = format!("{} {}", spaced(self.reference.namespace()), spaced(&self.name));
        if let Some(title) = &self.title {
            text.push_str(". ");
            text.push_str(title);
        }
        text.push_str(". ");
        text.push_str(&self.description);
        let parameters = self.input_schema.as_ref().map(Schema::own_parameters).unwrap_or_default();
        for (place, parameter) in parameters.iter().enumerate() {
            text.push_str(if place == 0 { " Parameters: " } else { ", " });
            text.push_str(&parameter.name);
        }
        text
    }

    /// The hash of what agents read of it: its ref, names, title, description, schemas and deprecation note. Costs one pass
    /// over them.
    pub fn text_hash(&self) -> ContentHash {
        let text = Self {
            annotations: Annotations::default(),
            tags: Vec::new(),
            execution: Execution::default(),
            required_scopes: ScopeRequirement::none(),
            provenance: Provenance::default(),
            ..self.clone()
        };
        text.content_hash()
    }

    /// The hash by which an unchanged tool is recognised. Costs one pass over its text.
    pub fn content_hash(&self) -> ContentHash {
        let mut hasher = Sha256::new();
        // Each part goes in with its length, so that no two different tools give the same bytes.
        let mut put = |part: &str| {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        };
        let Self {
            reference,
            name,
            title,
            description,
            input_schema,
            output_schema,
            annotations,
            tags,
            execution,
            required_scopes,
            deprecation,
            provenance,
        } = self;
        put(&reference.to_string());
        put(name);
        for optional in [title, &execution.mode, &execution.auth_type, deprecation] {
            put(if optional.is_some() { "1" } else { "0" });
            put(optional.as_deref().unwrap_or_default());
        }
        put(description);
        for schema in [input_schema, output_schema] {
            put(schema.as_ref().map_or("", Schema::as_str));
        }
        put(&format!("{annotations:?} {}", execution.requires_obo));
        put(&tags.len().to_string());
        tags.iter().for_each(|tag| put(tag));
        put(&required_scopes.to_canonical());
        put(&provenance.source_type);
        put(&provenance.foreign_id);
        ContentHash(hasher.finalize().into())
    }
}

/// `camelCase`, `snake_case` and `dotted.names` as words.
fn spaced(identifier: &str) -> String {
    crate::lexical::identifier_words(identifier).join(" ")
}

fn first_sentence(text: &str) -> &str {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.find(". ") {
        Some(end) => &line[..=end],
        None => line,
    }
}

fn shorten(line: &str) -> String {
    // Of a line that is too long, the last place is the ellipsis'.
    let mut last = line.char_indices().skip(SUMMARY_CHARS_MAX - 1);
    match (last.next(), last.next()) {
        (Some((end, _)), Some(_)) => {
            let cut = line[..end].rfind(' ').unwrap_or(end);
            format!("{}…", line[..cut].trim_end())
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_never_longer_than_it_says() {
        for n in SUMMARY_CHARS_MAX - 2..SUMMARY_CHARS_MAX + 3 {
            let word = "я".repeat(n);
            assert_eq!(shorten(&word).chars().count(), n.min(SUMMARY_CHARS_MAX), "{n}");
            let words = format!("{} {}", "a".repeat(20), "b".repeat(n - 21));
            assert_eq!(shorten(&words).chars().count(), if n > SUMMARY_CHARS_MAX { 21 } else { n }, "{n}");
        }
    }
}
