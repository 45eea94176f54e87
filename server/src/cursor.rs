//! Cursors: where the next page starts, sealed.
//!
//! A cursor says a generation and an offset, and carries an HMAC-SHA256 over both **and** over what it belongs to: the
//! route, the request without its cursor, the principal and their grant. None of these stands in it, so it tells nothing,
//! and it is good for nothing with another request or in other hands. The key comes from the configured secret, so cursors
//! outlive a restart, and replicas with the same secret take each other's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{ApiError, Code};
use crate::limits::CURSOR_CHARS_MAX;
use crate::policy::Granted;
use crate::principal::Principal;
use crate::secret::{Secret, keyed};

const VERSION: u8 = 1;
/// Version, generation, offset.
const HEAD_BYTES: usize = 1 + 8 + 4;
const SEAL_BYTES: usize = 32;

/// Makes and opens cursors.
pub(crate) struct CursorKey([u8; 32]);

/// What a cursor belongs to. It is good only where the digest is the same.
#[derive(Clone, Copy)]
pub(crate) struct Binding([u8; 32]);

impl Binding {
    /// `request` is the request's meaning without its cursor, in a text that is the same for the same request.
    pub(crate) fn new(route: &str, request: &str, principal: &Principal, granted: &Granted) -> Self {
        let Principal { user, tenant, groups, roles, scopes, service } = principal;
        let mut hasher = Sha256::new();
        let mut put = |part: &str| {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        };
        [route, request, &granted.fingerprint, user].into_iter().for_each(&mut put);
        for set in [groups, roles, scopes] {
            put(&set.len().to_string());
            set.iter().for_each(|entry| put(entry));
        }
        for name in [tenant, service] {
            put(&u8::from(name.is_some()).to_string());
            put(name.as_deref().unwrap_or_default());
        }
        Self(hasher.finalize().into())
    }
}

impl CursorKey {
    pub(crate) fn new(secret: &Secret) -> Self {
        Self(secret.derive_key("shortlist cursor 1"))
    }

    /// The cursor of the page that starts at `offset`.
    pub(crate) fn seal(&self, binding: Binding, generation: u64, offset: usize) -> String {
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        let mut bytes = vec![VERSION];
        bytes.extend(generation.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        let seal = keyed(&self.0, &[&bytes, &binding.0]);
        bytes.extend(seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The offset in a cursor that this server gave for the same binding.
    ///
    /// # Errors
    /// `bad_cursor` for anything else, `stale_cursor` when it is good but of another generation.
    pub(crate) fn open(&self, binding: Binding, generation: u64, cursor: &str) -> Result<usize, ApiError> {
        let bad = || ApiError::new(Code::BadCursor).at("/cursor");
        if cursor.len() > CURSOR_CHARS_MAX {
            return Err(bad());
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
        if bytes.len() != HEAD_BYTES + SEAL_BYTES {
            return Err(bad());
        }
        let (head, seal) = bytes.split_at(HEAD_BYTES);
        if !bool::from(keyed(&self.0, &[head, &binding.0]).ct_eq(seal)) {
            return Err(bad());
        }
        let [VERSION, g0, g1, g2, g3, g4, g5, g6, g7, o0, o1, o2, o3] = *head else { return Err(bad()) };
        if u64::from_be_bytes([g0, g1, g2, g3, g4, g5, g6, g7]) != generation {
            return Err(ApiError::new(Code::StaleCursor).at("/cursor"));
        }
        usize::try_from(u32::from_be_bytes([o0, o1, o2, o3])).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CursorKey {
        CursorKey::new(&Secret::new("0123456789abcdef").expect("long enough"))
    }

    fn binding(request: &str, user: &str) -> Binding {
        Binding::new("search", request, &Principal::user(user), &Granted::everything())
    }

    #[test]
    fn a_cursor_opens_where_it_belongs_and_nowhere_else() {
        let mine = binding("q", "alice");
        let cursor = key().seal(mine, 7, 40);
        assert_eq!(key().open(mine, 7, &cursor).map_err(|error| error.code), Ok(40));
        let code = |binding: Binding, generation: u64, cursor: &str| {
            key().open(binding, generation, cursor).map_err(|error| error.code).expect_err("refused")
        };
        assert_eq!(code(mine, 8, &cursor), Code::StaleCursor);
        assert_eq!(code(binding("q", "bob"), 7, &cursor), Code::BadCursor);
        assert_eq!(code(binding("other", "alice"), 7, &cursor), Code::BadCursor);
        // Somebody else's cursor of another generation is not even told to be stale.
        assert_eq!(code(binding("q", "bob"), 8, &cursor), Code::BadCursor);
        let other_secret = CursorKey::new(&Secret::new("fedcba9876543210").expect("long enough"));
        assert!(other_secret.open(mine, 7, &cursor).is_err());
    }

    #[test]
    fn no_forgery_opens() {
        let mine = binding("q", "alice");
        let cursor = key().seal(mine, 7, 40);
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).expect("base64");
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut forged = bytes.clone();
                forged[position] ^= 1 << bit;
                let forged = URL_SAFE_NO_PAD.encode(forged);
                assert!(key().open(mine, 7, &forged).is_err(), "bit {bit} of byte {position}");
            }
        }
        for text in ["", "x", "====", &cursor[1..], &format!("{cursor}AAAA"), &"A".repeat(100_000), "\u{1F600}"] {
            assert!(key().open(mine, 7, text).is_err());
        }
        assert!(cursor.len() <= CURSOR_CHARS_MAX);
    }
}
