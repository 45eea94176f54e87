//! The JWT by which a worker knows its engine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::network::Token;

/// How long a token is good: one request, and clocks that are a little apart.
const LIFETIME: Duration = Duration::from_secs(60);

/// What a worker looks at. No `iat`: a worker whose clock is behind would refuse a token from the future.
#[derive(Serialize)]
struct Claims {
    aud: &'static str,
    ver: &'static str,
    exp: u64,
}

/// Signs a token for one request.
pub(super) fn mint(secret: &Token) -> Result<Token, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| "the clock is before 1970".to_owned())?;
    let claims = Claims { aud: "worker", ver: "1", exp: (now + LIFETIME).as_secs() };
    let key = EncodingKey::from_secret(secret.reveal().as_bytes());
    let jwt = encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|error| format!("no token can be signed with the worker secret: {error}"))?;
    Token::new(&jwt).ok_or_else(|| "the signed token is empty".to_owned())
}
