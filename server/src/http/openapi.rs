//! The OpenAPI document. Its paths and types come from the handlers; what they have in common stands here.

use std::sync::LazyLock;

use axum::Extension;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

use super::compressed::AsItIs;
use super::{documented, tools};
use crate::doors::to_json;
use crate::doors::wire::ToolBody;
use crate::error::{ApiError, Code};
use crate::identity::{
    ACT_AS_HEADER, GROUPS_HEADER, ROLES_HEADER, SCOPES_HEADER, SECRET_HEADER, TENANT_HEADER, TOKEN_HEADER, USER_HEADER,
};
use crate::limits::{
    BODY_BYTES_MAX, CALLS, COMPRESS_BYTES_MIN, HEAD_BYTES_MAX, HEADERS_MAX, MEMBERSHIPS_BYTES_MAX, MEMBERSHIPS_MAX,
    REQUEST_ID_CHARS_MAX, TOKEN_BYTES_MAX, USER_BYTES_MAX,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Shortlist", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(tools::get_tool),
    components(schemas(ToolBody)),
    tags(
        (name = "tools", description = "Finding tools, among those the caller may see"),
        (name = "operations", description = "For whoever runs the server; the admin doors exist for those alone whom the policy names in `admins`")
    )
)]
struct Frame;

/// The document before the routes of the table are added.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    Frame::openapi()
}

/// The document with what all routes have in common.
pub(super) fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let codes: Vec<String> =
        Code::ALL.iter().map(|code| format!("`{}` ({})", code.as_str(), code.status().as_u16())).collect();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.description = Some(format!(
        "Semantic tool discovery inside the caller's permissions. A tool that the caller may not see answers exactly as one \
         that does not exist.\n\n\
         A request identifies itself in one way. `Authorization: Bearer` carries a JWT of a configured issuer or gateway (at \
         most {TOKEN_BYTES_MAX} bytes; a gateway's also in `{TOKEN_HEADER}`), or the API key of a service. Or a gateway sends headers: \
         `{SECRET_HEADER}` carries the shared secret, `{USER_HEADER}` the user and `{TENANT_HEADER}` the tenant (each at most \
         {USER_BYTES_MAX} bytes), `{GROUPS_HEADER}` groups and `{ROLES_HEADER}` roles with commas between them, `{SCOPES_HEADER}` \
         scopes with spaces between them (each at most {MEMBERSHIPS_BYTES_MAX} bytes and {MEMBERSHIPS_MAX} entries). A service \
         whose key has the right to names a user in those headers, without the secret. An admin asks as somebody else with \
         `{ACT_AS_HEADER}`, and `-Groups`, `-Roles`, `-Tenant`, `-Scopes` behind it.\n\n\
         A body has at most {BODY_BYTES_MAX} bytes and no `Content-Encoding`; an answer of {COMPRESS_BYTES_MIN} bytes and more is \
         gzipped for whoever takes that. A head has at most {HEAD_BYTES_MAX} bytes and, in HTTP/1, {HEADERS_MAX} headers. A user \
         or service may ask {} times a second and {} times after a pause, unless the operator says otherwise; more is 429 with \
         `Retry-After`. `X-Request-Id` is taken over (at most {REQUEST_ID_CHARS_MAX} letters, \
         digits and `._-`) or made, and given back. A valid `traceparent` (W3C Trace Context) is answered with one of the same \
         trace, and its numbers stand in the log.\n\n\
         Errors are RFC 9457 problems with a stable `code`: {}.",
        CALLS.per_second,
        CALLS.burst,
        codes.join(", ")
    ));
    let header = |name: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("gateway_secret", header(SECRET_HEADER));
    components.add_security_scheme("gateway_user", header(USER_HEADER));
    components.add_security_scheme("gateway_token", header(TOKEN_HEADER));
    let bearer = |format: &str, description: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format);
        SecurityScheme::Http(scheme.description(Some(description)).build())
    };
    components.add_security_scheme("bearer", bearer("JWT", "A token of a configured issuer or gateway"));
    components.add_security_scheme("api_key", bearer("slk_<id>_<secret>", "The key of a service"));
    let none: [&str; 0] = [];
    document.security = Some(vec![
        SecurityRequirement::new("bearer", none),
        SecurityRequirement::new("api_key", none),
        SecurityRequirement::new("gateway_token", none),
        SecurityRequirement::new("gateway_secret", none).add("gateway_user", none),
    ]);
    documented::complete(&mut document);
    document
}

/// Where the document is.
pub(super) const PATH: &str = "/v1/openapi.json";

/// `GET /v1/openapi.json`; it needs no identity.
pub(super) async fn document() -> Response {
    // Made once: whoever asks for it needs no identity.
    static DOCUMENT: LazyLock<Result<Bytes, ApiError>> = LazyLock::new(|| to_json(&super::openapi()).map(Bytes::from));
    match &*DOCUMENT {
        Ok(document) => (Extension(AsItIs), [(CONTENT_TYPE, "application/json")], document.clone()).into_response(),
        Err(error) => error.clone().into_response(),
    }
}
