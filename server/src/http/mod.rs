//! The doors: every route in one table, and what all of them have in common.

mod search;

mod mcp;

mod admin;
mod admin_audit;
mod admin_policy;
mod details;
mod health;
mod namespaces;
mod tools;

mod wire;

mod asked;
mod audited;
mod body;
mod caller;
mod compressed;
mod conditional;
mod documented;
mod lasting;
mod observe;
mod openapi;
mod problem;
mod protected;
mod trace;

pub(crate) use audited::Note;
pub(crate) use observe::{is_harmless_id, log as log_error};
pub(crate) use trace::TraceContext;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::{ApiError, Code, Panicked};
use crate::state::AppState;

/// Every route, over this state.
pub fn app(state: AppState) -> Router {
    let routes = table()
        .split_for_parts()
        .0
        .route(openapi::PATH, get(openapi::document))
        .route(mcp::PATH, mcp::route(&state))
        .fallback(|| async { ApiError::new(Code::NoSuchRoute) })
        .method_not_allowed_fallback(|| async { ApiError::new(Code::MethodNotAllowed) })
        .layer(axum::middleware::from_fn(asked::refuse))
        // The last layer is the outermost: it also writes out what the panic catcher and the fallbacks answer.
        .layer(CatchPanicLayer::custom(|_| ApiError::internal(Panicked).into_response()))
        .layer(axum::middleware::from_fn_with_state(state.clone(), audited::record))
        .layer(axum::middleware::from_fn_with_state(state.clone(), lasting::outlive))
        .layer(axum::middleware::from_fn_with_state(state.clone(), observe::observe))
        .with_state(state.clone());
    // Outside of the routing: what a route adds to its answers by itself (`Allow`) would give it away.
    Router::new()
        .fallback_service(routes)
        .layer(axum::middleware::from_fn_with_state(state.clone(), asked::identify))
        .layer(axum::middleware::from_fn_with_state(state, protected::challenge))
        .layer(compressed::layer())
        .layer(axum::middleware::from_fn(compressed::negotiate))
}

/// The OpenAPI document of [`app`].
pub fn openapi() -> utoipa::openapi::OpenApi {
    openapi::complete(table().split_for_parts().1)
}

fn table() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(search::search_tools))
        .routes(routes!(details::get_tool_details))
        .routes(routes!(namespaces::list_namespaces))
        .routes(routes!(namespaces::get_namespaces))
        // A ref holds slashes, so the route takes the rest of the path; the document calls it {ref}.
        .route("/v1/tools/{*ref}", get(tools::get_tool))
        .routes(routes!(admin::sources))
        .routes(routes!(admin::why_not))
        .routes(routes!(admin_policy::policy))
        .routes(routes!(admin_policy::add_rule))
        .routes(routes!(admin_policy::remove_rule))
        .routes(routes!(admin_policy::versions))
        .routes(routes!(admin_policy::roll_back))
        .routes(routes!(admin_audit::audit))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(protected::metadata))
        .routes(routes!(protected::mcp_metadata))
}

/// A JSON answer that was serialised already, which a shared cache may not keep.
fn json(bytes: Vec<u8>) -> Response {
    use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "private, no-store")], bytes).into_response()
}
