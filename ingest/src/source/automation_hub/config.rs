//! [`AutomationHubConfig`]: where a hub is and what it calls things.

use std::path::PathBuf;

use serde::Deserialize;

use crate::network::{AuthKeys, OAuthConfig};

/// Records on one page unless configured: 25 requests for a catalog of 5,000.
const PAGE_LIMIT: usize = 200;
/// Seconds for one request unless configured; a page is read within it or not at all.
const TIMEOUT_S: u64 = 30;
/// Seconds for one pass unless configured; other sources wait for it.
const PASS_TIMEOUT_S: u64 = 3_600;

/// One Automation Hub, as it stands in `shortlist.toml` under `[[source]]` with `type = "automation_hub"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutomationHubConfig {
    /// The operator's name for the source: the first part of its refs.
    pub name: String,
    /// The address in front of `/api/catalog/actions`, without credentials and without a query.
    pub base_url: String,
    /// Records asked for on each page, 1 to [`super::PAGE_LIMIT_MAX`]; a hub may give fewer.
    #[serde(default = "page_limit")]
    pub page_limit: usize,
    /// Seconds for one request from connecting to the last byte, 1 to 600.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
    /// Seconds for one pass over all pages, waits included, 1 to 86,400. The next pass goes on where one that took longer
    /// was ended.
    #[serde(default = "pass_timeout_s")]
    pub pass_timeout_s: u64,
    /// What an ETag vouches for.
    #[serde(default)]
    pub etag_covers: EtagCovers,
    /// Whether an empty string as next cursor means the end. It is a valid cursor otherwise.
    #[serde(default)]
    pub empty_cursor_ends: bool,
    /// Whether credentials may be sent over plain HTTP to another machine.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// The file that holds the bearer token. Opened by whoever builds the source, not by the source; so are the next two.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds the bearer token.
    #[serde(default)]
    pub token_env: Option<String>,
    /// The token server that gives the bearer token.
    #[serde(default)]
    pub oauth: Option<OAuthConfig>,
    /// What the hub calls the parts of a page and of an action.
    #[serde(default)]
    pub fields: FieldMap,
}

/// What a hub's ETag vouches for. HTTP promises no more than [`EtagCovers::Page`]: an ETag belongs to one address, and the
/// first page's stays the same when only the fifth changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EtagCovers {
    /// The page alone: every page is asked whether it changed.
    #[default]
    Page,
    /// The whole catalog, by this deployment's word: the first page's answer speaks for all, in one request. The others may
    /// have ETags of their own, or none.
    Catalog,
}

/// Where each value stands: a dotted path (`auth.type`) or, when it begins with `/`, a JSON pointer (`/auth/type`), for
/// names that hold dots. An empty path means that the deployment has no such field.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldMap {
    /// In a page: the list of actions. Empty: the page itself is the list.
    pub actions: String,
    /// In a page: the next cursor; absent or null at the end.
    pub next_cursor: String,
    /// In an action: `namespace:name@semver`.
    pub id: String,
    /// In an action: a short human title.
    pub title: String,
    /// In an action: what it does.
    pub description: String,
    /// In an action: the JSON Schema of what it takes.
    pub input_schema: String,
    /// In an action: the JSON Schema of what it gives back.
    pub output_schema: String,
    /// In an action: a list of labels.
    pub tags: String,
    /// In an action: how it runs, such as `sync`.
    pub execution_mode: String,
    /// In an action: its downstream authentication, such as `oauth2`.
    pub auth_type: String,
    /// In an action: whether it must be called on behalf of a user.
    pub requires_obo: String,
    /// In an action: the permissions of which its caller needs all.
    pub required_permissions: String,
    /// In an action: `true`, a text, or an object with a text in `message`, `reason` or `since` when it is deprecated.
    pub deprecation: String,
    /// In an action: whether it changes nothing.
    pub read_only: String,
    /// In an action: whether it may delete or overwrite.
    pub destructive: String,
    /// In an action: whether a second call changes nothing more.
    pub idempotent: String,
    /// In an action: whether it reaches beyond a closed set of entities.
    pub open_world: String,
}

impl Default for FieldMap {
    fn default() -> Self {
        Self {
            actions: "actions".into(),
            next_cursor: "nextCursor".into(),
            id: "id".into(),
            title: "title".into(),
            description: "description".into(),
            input_schema: "inputSchema".into(),
            output_schema: "outputSchema".into(),
            tags: "tags".into(),
            execution_mode: "executionMode".into(),
            auth_type: "authType".into(),
            requires_obo: "requiresObo".into(),
            required_permissions: "requiredPermissions".into(),
            deprecation: "deprecation".into(),
            read_only: "annotations.readOnly".into(),
            destructive: "annotations.destructive".into(),
            idempotent: "annotations.idempotent".into(),
            open_world: "annotations.openWorld".into(),
        }
    }
}

impl AutomationHubConfig {
    /// A hub with every default.
    pub fn new(name: &str, base_url: &str) -> Self {
        Self {
            name: name.to_owned(),
            base_url: base_url.to_owned(),
            page_limit: PAGE_LIMIT,
            timeout_s: TIMEOUT_S,
            pass_timeout_s: PASS_TIMEOUT_S,
            etag_covers: EtagCovers::default(),
            empty_cursor_ends: false,
            allow_plain_http: false,
            token_file: None,
            token_env: None,
            oauth: None,
            fields: FieldMap::default(),
        }
    }

    /// The keys that name its credentials.
    pub fn auth_keys(&self) -> AuthKeys<'_> {
        AuthKeys {
            token_env: self.token_env.as_deref(),
            token_file: self.token_file.as_deref(),
            oauth: self.oauth.as_ref(),
        }
    }
}

fn page_limit() -> usize {
    PAGE_LIMIT
}

fn timeout_s() -> u64 {
    TIMEOUT_S
}

fn pass_timeout_s() -> u64 {
    PASS_TIMEOUT_S
}
