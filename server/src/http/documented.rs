//! What the operations of the OpenAPI document have in common: the errors that each can answer, and the headers of answers.
//!
//! A door's own attributes name what is its own (a 410, a 412, what its 404 means); everything else stands here once.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::asked::{ADMIN_DOORS, DOORS};
use super::problem::Problem;
use crate::error::Code;

/// Completes every operation of the document.
pub(super) fn complete(document: &mut OpenApi) {
    let schemas = &mut document.components.get_or_insert_default().schemas;
    schemas.insert(Problem::name().into_owned(), Problem::schema());
    for (path, item) in &mut document.paths.paths {
        for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
            add_errors(path, operation);
            let responses = &mut operation.responses.responses;
            for (status, response) in responses {
                if let RefOr::T(response) = response {
                    finish(status, response);
                }
            }
        }
    }
}

/// Adds the errors of such an operation. Where a status is there already, its description is completed.
fn add_errors(path: &str, operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    for code in Code::ALL.into_iter().filter(|&code| can_come(code, path, has_body)) {
        let what = format!("`{}`: {}", code.as_str(), code.title());
        let status = code.status().as_u16().to_string();
        let response = operation.responses.responses.entry(status).or_insert_with(|| Response::default().into());
        let RefOr::T(response) = response else { continue };
        if !response.description.is_empty() {
            response.description.push_str("; ");
        }
        response.description.push_str(&what);
    }
}

/// Whether an operation can answer a code that is not its own affair.
fn can_come(code: Code, path: &str, has_body: bool) -> bool {
    let is_admin = path.starts_with(ADMIN_DOORS);
    match code {
        Code::Internal => true,
        Code::RateLimited | Code::Overloaded | Code::NotReady | Code::Timeout | Code::AuditUnavailable => {
            path.starts_with(DOORS)
        }
        Code::Unauthenticated => path.starts_with(DOORS) && !is_admin,
        // Whoever is no admin finds nothing there.
        Code::NoSuchRoute => is_admin,
        Code::UnsupportedMediaType
        | Code::BodyTooLarge
        | Code::BodyTimeout
        | Code::MalformedJson
        | Code::UnknownField
        | Code::InvalidValue => has_body,
        _ => false,
    }
}

/// Gives an error its body, and every answer its headers.
fn finish(status: &str, response: &mut Response) {
    let is_error = status.starts_with(['4', '5']);
    if is_error && response.content.is_empty() {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        response.content.insert("application/problem+json".to_owned(), content.into());
    }
    let mut built = ResponseBuilder::from(std::mem::take(response));
    let text = |description: &str| {
        let text = ObjectBuilder::new().schema_type(Type::String);
        HeaderBuilder::new().schema(Some(text)).description(Some(description)).build()
    };
    built = built.header("X-Request-Id", text("Names the request in the server's log"));
    if matches!(status, "429" | "503") {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait")).build();
        built = built.header("Retry-After", header);
    }
    if status == "401" {
        built = built.header("WWW-Authenticate", text("How to identify"));
    }
    *response = built.build();
}
