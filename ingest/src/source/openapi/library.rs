//! [`Library`]: a document and the files beside it that it refers to, with every `$ref` followed within bounds.

use std::collections::VecDeque;

use serde_json::Value;

/// How many references in a row are followed: one that leads to another, or a pointer through one.
const HOPS_MAX: usize = 16;
/// How many references are followed to resolve one: each part of a pointer may pass through others, and each part of theirs,
/// so that few hops make many steps.
const STEPS_MAX: usize = 100;
/// What is said of a reference beyond either.
const TOO_MANY: &str = "a \"$ref\" leads through too many others, or in a circle";
/// The most other files that one document may refer to, directly or through each other.
const SIBLINGS_MAX: usize = 500;

/// The documents that are read for one API: the first is its own, the others are files of the same folder.
pub(super) struct Library {
    documents: Vec<(String, Value)>,
    /// Whether the files beside the first are read.
    is_folder: bool,
}

/// A value, and the document that its own references start from.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    document: usize,
    /// The value that stands there.
    pub value: &'a Value,
}

impl<'a> Place<'a> {
    /// A part of the value, in the same document.
    pub fn at(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }

    /// The member of that name, where the value is an object that has it.
    pub fn get(self, key: &str) -> Option<Self> {
        self.value.get(key).map(|value| self.at(value))
    }
}

impl Library {
    /// A document that lies at `path` of its folder (with `/` between the parts), and the files that it refers to.
    ///
    /// `read` gives the parsed content of another file of the folder, `None` where there is none; only paths inside the
    /// folder are asked for.
    ///
    /// # Errors
    /// What `read` fails with.
    pub fn open<E>(path: &str, root: Value, read: &mut dyn FnMut(&str) -> Result<Option<Value>, E>) -> Result<Self, E> {
        let mut library = Self { is_folder: true, ..Self::single(path, root) };
        let mut unseen: VecDeque<String> = library.files_named_in(0).into();
        while let Some(file) = unseen.pop_front() {
            if library.documents.len() > SIBLINGS_MAX {
                break;
            }
            if library.number_of(&file).is_none()
                && let Some(value) = read(&file)?
            {
                library.documents.push((file, value));
                unseen.extend(library.files_named_in(library.documents.len() - 1));
            }
        }
        Ok(library)
    }

    /// The document `path`, with nothing beside it.
    pub fn single(path: &str, root: Value) -> Self {
        Self { documents: vec![(path.to_owned(), root)], is_folder: false }
    }

    /// A document that is no file, with nothing beside it.
    pub fn alone(root: Value) -> Self {
        Self::single("", root)
    }

    /// The API's own document.
    pub fn root(&self) -> Place<'_> {
        // There is always one.
        Place { document: 0, value: self.documents.first().map_or(&Value::Null, |(_, value)| value) }
    }

    /// The other files that were read.
    pub fn siblings(&self) -> impl Iterator<Item = &str> {
        self.documents.iter().skip(1).map(|(path, _)| path.as_str())
    }

    /// The value itself, or what its `$ref` leads to.
    ///
    /// # Errors
    /// Why the reference leads nowhere.
    pub fn deref<'a>(&'a self, place: Place<'a>) -> Result<Place<'a>, String> {
        let mut steps = STEPS_MAX;
        self.deref_within(place, HOPS_MAX, &mut steps)
    }

    /// What a reference that stands at `from` leads to, which may be another reference.
    ///
    /// # Errors
    /// Why it leads nowhere.
    pub fn follow<'a>(&'a self, from: Place<'a>, reference: &str) -> Result<Place<'a>, String> {
        let mut steps = STEPS_MAX;
        self.follow_within(from, reference, HOPS_MAX, &mut steps)
    }

    fn deref_within<'a>(&'a self, mut place: Place<'a>, hops: usize, steps: &mut usize) -> Result<Place<'a>, String> {
        for hops in (0..=hops).rev() {
            match place.value.get("$ref") {
                None => return Ok(place),
                Some(Value::String(reference)) => place = self.follow_within(place, reference, hops, steps)?,
                Some(_) => return Err("a \"$ref\" is no text".to_owned()),
            }
        }
        Err(TOO_MANY.to_owned())
    }

    fn follow_within<'a>(
        &'a self,
        from: Place<'a>,
        reference: &str,
        hops: usize,
        steps: &mut usize,
    ) -> Result<Place<'a>, String> {
        let (Some(hops), Some(steps_left)) = (hops.checked_sub(1), steps.checked_sub(1)) else {
            return Err(TOO_MANY.to_owned());
        };
        *steps = steps_left;
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let document = match file {
            "" => from.document,
            file => self.beside(from.document, file).and_then(|path| self.number_of(&path)).ok_or_else(|| {
                let why = if self.is_folder {
                    "leads to no file of this folder that can be read"
                } else {
                    "leads out of the document, which is read alone; name the folder of both instead of the document"
                };
                format!("the \"$ref\" {reference:?} {why}")
            })?,
        };
        let (_, root) = self.documents.get(document).ok_or("a document is missing")?;
        let root = Place { document, value: root };
        // Some documents do not percent-encode their pointers, though they are parts of an address.
        let target = self
            .walk(root, &percent_decoded(pointer), hops, steps)
            .or_else(|| if pointer.contains('%') { self.walk(root, pointer, hops, steps) } else { None });
        target.ok_or_else(|| match *steps {
            0 => TOO_MANY.to_owned(),
            _ => format!("the \"$ref\" {reference:?} leads nowhere"),
        })
    }

    /// Walks a JSON pointer (RFC 6901), through references where the value itself has no such part.
    fn walk<'a>(&'a self, root: Place<'a>, pointer: &str, hops: usize, steps: &mut usize) -> Option<Place<'a>> {
        let mut place = root;
        for token in pointer.strip_prefix('/').into_iter().flat_map(|rest| rest.split('/')) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let step = |place: Place<'a>| match place.value {
                Value::Array(items) => token.parse::<usize>().ok().and_then(|at| items.get(at)).map(|v| place.at(v)),
                _ => place.get(&token),
            };
            place = step(place).or_else(|| {
                let reference = place.value.get("$ref")?.as_str()?;
                let target = self.follow_within(place, reference, hops, steps).ok()?;
                step(self.deref_within(target, hops, steps).ok()?)
            })?;
        }
        (pointer.is_empty() || pointer.starts_with('/')).then_some(place)
    }

    fn number_of(&self, path: &str) -> Option<usize> {
        self.documents.iter().position(|(known, _)| known == path)
    }

    /// The path inside the folder of a file that a document names; `None` for what leads out of it.
    fn beside(&self, document: usize, file: &str) -> Option<String> {
        let (path, _) = self.documents.get(document)?;
        let file = percent_decoded(file);
        // An address with a scheme, or a path from the root.
        if file.starts_with('/') || file.contains([':', '\\']) {
            return None;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in file.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        Some(parts.join("/"))
    }

    /// The files that a document's references name.
    fn files_named_in(&self, document: usize) -> Vec<String> {
        let mut files = Vec::new();
        if let Some((_, root)) = self.documents.get(document) {
            collect_files(root, &mut files);
        }
        files.sort_unstable();
        files.dedup();
        files.into_iter().filter_map(|file| self.beside(document, file)).collect()
    }
}

/// Gathers what stands before `#` in every `$ref`. The depth of the recursion is that of a parsed document, which is bounded.
fn collect_files<'a>(value: &'a Value, files: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                let file = reference.split('#').next().unwrap_or_default();
                if !file.is_empty() {
                    files.push(file);
                }
            }
            map.values().for_each(|value| collect_files(value, files));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_files(value, files)),
        _ => {}
    }
}

/// Undoes percent-encoding; what is not well-formed stays as it is.
fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|&b| char::from(b).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).unwrap_or_default());
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::json;

    use super::*;

    fn library(root: Value, files: &[(&str, Value)]) -> Library {
        let mut read = |path: &str| -> Result<_, Infallible> {
            Ok(files.iter().find(|(name, _)| *name == path).map(|(_, value)| value.clone()))
        };
        let Ok(library) = Library::open("apis/shop.yaml", root, &mut read);
        library
    }

    #[test]
    fn pointers_are_followed_with_their_escapes_and_through_references() {
        let library = library(
            json!({
                "paths": { "/a/{id}": { "get": [{ "x": 1 }, { "$ref": "#/odd~0name" }] } },
                "odd~name": { "deep": { "value": 7 } },
                "100%": { "value": 8 },
                "one": { "$ref": "#/two" }, "two": { "$ref": "#/one" },
            }),
            &[],
        );
        let check = |reference: &str, expected: Option<Value>| {
            let found = library.follow(library.root(), reference).ok().map(|place| place.value.clone());
            assert_eq!(found, expected, "{reference}");
        };
        check("#/paths/~1a~1%7Bid%7D/get/0/x", Some(json!(1)));
        check("#/paths/~1a~1{id}/get/0/x", Some(json!(1)));
        check("#/paths/~1a~1{id}/get/1/deep/value", Some(json!(7)));
        check("#/100%/value", Some(json!(8)));
        check("#/one/value", None);
        check("#/nothing", None);
        check("#anchor", None);
        check("https://elsewhere.example/a.yaml#/a", None);
        let circle = json!({ "$ref": "#/one" });
        let reason = library.deref(library.root().at(&circle)).err().unwrap_or_default();
        assert!(reason.contains("circle"), "{reason}");
        let odd = json!({ "$ref": 3 });
        assert!(library.deref(library.root().at(&odd)).is_err());
    }

    #[test]
    fn references_that_multiply_are_given_up() {
        // Each level passes twenty times through the one below it, within the hops: 2 * 20^12 steps if all were taken.
        let level =
            |k: usize, below: String| json!({ "a": { "$ref": below }, "up": { "$ref": format!("#/O{}", k + 1) } });
        let mut root = json!({ "O0": level(0, "#/O0".to_owned()), "odd": { "$ref": "#/odd/x%" } });
        for k in 1..=12 {
            root[format!("O{k}")] = level(k, format!("#/O{}{}/up", k - 1, "/a".repeat(20)));
        }
        let library = library(root, &[]);
        for reference in ["#/O12/a/a", "#/odd/x%"] {
            let start = json!({ "$ref": reference });
            let reason = library.deref(library.root().at(&start)).err().unwrap_or_default();
            assert!(reason.contains("too many"), "{reference}: {reason}");
        }
        assert!(library.follow(library.root(), "#/O0/a/a/a/up").is_ok());
    }

    #[test]
    fn files_of_the_folder_are_followed_and_none_outside_it() {
        let root = json!({
            "a": { "$ref": "parts/pet.yaml#/Pet" }, "b": { "$ref": "../common.json" },
            "c": { "$ref": "../../etc/passwd" }, "d": { "$ref": "/etc/passwd" }, "e": { "$ref": "missing.yaml" },
        });
        let files = [
            ("apis/parts/pet.yaml", json!({ "Pet": { "$ref": "#/Own" }, "Own": { "$ref": "./tag.yaml" } })),
            ("apis/parts/tag.yaml", json!({ "type": "string" })),
            ("common.json", json!({ "type": "object" })),
        ];
        let library = library(root.clone(), &files);
        assert_eq!(library.siblings().count(), 3);
        let target = |key: &str| {
            let place = library.root().at(&root[key]);
            library.deref(place).map(|place| place.value.clone())
        };
        assert_eq!(target("a"), Ok(json!({ "type": "string" })));
        assert_eq!(target("b"), Ok(json!({ "type": "object" })));
        for key in ["c", "d", "e"] {
            let reason = target(key).expect_err(key);
            assert!(reason.contains("no file of this folder"), "{reason}");
        }
    }
}
