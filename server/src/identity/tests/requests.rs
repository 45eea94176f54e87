//! What identifies a request, and as whom it then asks.

use super::*;

/// What identifies requests in these tests, in a folder of its own.
fn identifier(folder: &std::path::Path) -> (Identifier, KeyFile) {
    let file = KeyFile::new(folder.join("keys.json"));
    let gateway = HeaderIdentity {
        peers: vec!["127.0.0.1".parse().expect("an address")],
        secret: Secret::new("0123456789abcdef").expect("long enough"),
    };
    let plain = issuer(&[&RSA], |new| new.claims.user = vec!["oid".to_owned()]);
    let realm = issuer(&[&RSA], |new| {
        new.name = "other".to_owned();
        new.issuer = "https://other.example".to_owned();
        new.realm = Some("other".to_owned());
    });
    let issuers = vec![plain, realm];
    let identities = Identities { gateway: Some(gateway), issuers, keys_file: file.path().to_owned() };
    (Identifier::new(identities), file)
}

async fn ask(identifier: &Identifier, headers: &[(&'static str, &str)]) -> Result<Identified, IdentityRefusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().expect("a header value"));
    }
    identifier.identify("127.0.0.1".parse().ok(), &map).await
}

/// Claims that are good by the real clock.
fn current(issuer: &str) -> Value {
    let mut claims = claims();
    claims["iss"] = issuer.into();
    claims["exp"] = json!(unix_s() + 600);
    claims["nbf"] = json!(unix_s());
    claims["iat"] = json!(unix_s());
    claims
}

#[tokio::test]
async fn one_request_has_one_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    let (identifier, _) = identifier(folder.path());
    let token = RSA.token(&current(ISSUER));
    let (bearer, secret) = (format!("Bearer {token}"), ("x-shortlist-secret", "0123456789abcdef"));
    let user = ("x-shortlist-user", "bob");
    for scheme in ["Bearer", "bearer", "BEARER "] {
        let who = ask(&identifier, &[("authorization", &format!("{scheme} {token}"))]).await.expect("taken");
        assert_eq!((who.principal.user.as_str(), &*who.by), ("alice", "idp"));
    }
    let who = ask(&identifier, &[("x-shortlist-token", &token)]).await.expect("taken");
    assert_eq!(who.principal.user, "alice");
    let who = ask(&identifier, &[secret, user]).await.expect("taken");
    assert_eq!((who.principal.user.as_str(), &*who.by), ("bob", "gateway"));

    let refused = async |headers: &[(&'static str, &str)]| ask(&identifier, headers).await.expect_err("refused");
    assert!(matches!(refused(&[("authorization", &bearer), secret, user]).await, IdentityRefusal::Ambiguous(..)));
    assert!(matches!(refused(&[("authorization", &bearer), user]).await, IdentityRefusal::Ambiguous(..)));
    let groups = ("x-shortlist-groups", "admins");
    assert!(matches!(refused(&[("authorization", &bearer), groups]).await, IdentityRefusal::Ambiguous(..)));
    assert!(matches!(refused(&[("x-shortlist-token", &token), secret]).await, IdentityRefusal::Ambiguous(..)));
    let both = [("authorization", bearer.as_str()), ("x-shortlist-token", token.as_str())];
    assert!(matches!(refused(&both).await, IdentityRefusal::Ambiguous(..)));
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(refused(&twice).await, IdentityRefusal::Repeated("authorization"));
    for scheme in ["Basic YTpi", "Bearer", "Digest x", "token x"] {
        assert_eq!(refused(&[("authorization", scheme)]).await, IdentityRefusal::Scheme, "{scheme}");
    }
    for bad in ["Bearer ", "Bearer x", "Bearer a.b.c", "Bearer a.b", "Bearer ...", "Bearer e30.e30.e30"] {
        assert!(matches!(refused(&[("authorization", bad)]).await, IdentityRefusal::Unreadable(_)), "{bad}");
    }
    let long = format!("Bearer {}", "x".repeat(TOKEN_BYTES_MAX + 1));
    assert!(matches!(refused(&[("authorization", &long)]).await, IdentityRefusal::TooLong(..)));
    let stranger = format!("Bearer {}", RSA.token(&current("https://stranger.example")));
    assert!(matches!(refused(&[("authorization", &stranger)]).await, IdentityRefusal::Issuer(_)));
    assert_eq!(refused(&[]).await, IdentityRefusal::Missing(SECRET_HEADER));
    assert_eq!(refused(&[user]).await, IdentityRefusal::Missing(SECRET_HEADER));
}

#[tokio::test]
async fn no_issuer_speaks_in_the_words_of_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let (identifier, _) = identifier(folder.path());
    let by =
        async |claims: Value| ask(&identifier, &[("authorization", &format!("Bearer {}", RSA.token(&claims)))]).await;
    let who = by(current("https://other.example")).await.expect("taken").principal;
    assert_eq!(who.user, "other/t1/alice");
    assert!(who.groups.contains("other/g1") && !who.groups.contains("g1"));
    for (name, value) in
        [("oid", json!("other/t1/alice")), ("groups", json!(["other/g1"])), ("roles", json!(["other/Reader"]))]
    {
        let mut claims = current(ISSUER);
        claims[name] = value;
        let refusal = by(claims).await.expect_err("refused");
        assert_eq!(refusal, IdentityRefusal::Token { by: "idp".into(), refusal: TokenRefusal::OtherRealm });
    }
    let mut harmless = current(ISSUER);
    harmless["groups"] = json!(["another/g1", "other"]);
    assert!(by(harmless).await.is_ok());
}

#[tokio::test]
async fn an_api_key_is_its_service_and_asks_for_users_with_the_right_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (identifier, file) = identifier(folder.path());
    let (plain, plain_key) = file.create("crm", false, None).expect("made");
    let (hub, hub_key) = file.create("hub", true, Some(Duration::from_secs(3_600))).expect("made");
    let (_, expired_key) = file.create("old", false, Some(Duration::ZERO)).expect("made");
    let by = async |key: &str, more: &[(&'static str, &str)]| {
        let bearer = format!("Bearer {key}");
        ask(&identifier, &[&[("authorization", bearer.as_str())], more].concat()).await
    };
    assert_eq!(by(&plain_key, &[]).await.expect_err("not read yet"), IdentityRefusal::Key);
    identifier.refresh();
    let who = by(&plain_key, &[]).await.expect("taken");
    assert_eq!(*who.principal, Principal::service("crm"));
    assert_eq!(*who.by, format!("key:{}", plain.id));
    assert_eq!(*by(&hub_key, &[]).await.expect("taken").principal, Principal::service("hub"));
    let user = [("x-shortlist-user", "alice"), ("x-shortlist-groups", "a b,c"), ("x-shortlist-tenant", "t")];
    let for_alice = by(&hub_key, &user).await.expect("taken").principal;
    let alice = Principal { service: Some("hub".to_owned()), ..Principal::user("alice").with_groups(["a b", "c"]) };
    assert_eq!(*for_alice, alice.of_tenant("t"));

    let refused = async |key: &str, more: &[(&'static str, &str)]| by(key, more).await.expect_err("refused");
    assert_eq!(refused(&plain_key, &user).await, IdentityRefusal::NotOnBehalfOf(plain.id.clone()));
    assert_eq!(refused(&plain_key, &user[1..]).await, IdentityRefusal::NotOnBehalfOf(plain.id.clone()));
    assert_eq!(refused(&hub_key, &user[1..]).await, IdentityRefusal::Missing(USER_HEADER));
    assert!(matches!(refused(&expired_key, &[]).await, IdentityRefusal::KeyExpired(_)));
    let swapped = format!("slk_{}_{}", hub.id, plain_key.rsplit_once('_').expect("parts").1);
    let upper = plain_key.replace("slk_", "slk_A");
    let hashed = format!("slk_{}_{}", plain.id, plain.sha256);
    for wrong in [&swapped, &upper, &hashed, &plain_key[..plain_key.len() - 1], "slk_", "slk__", "slk_x_y"] {
        assert_eq!(refused(wrong, &[]).await, IdentityRefusal::Key, "{wrong}");
    }

    file.revoke(&plain.id).expect("it is there");
    identifier.refresh();
    assert_eq!(refused(&plain_key, &[]).await, IdentityRefusal::Key);
    assert!(by(&hub_key, &[]).await.is_ok());
    // A file that breaks shuts everybody out, until it is good again.
    let text = std::fs::read_to_string(file.path()).expect("it is there");
    for broken in [&text[..text.len() / 2], "", "[]", &text.replace("\"service\"", "\"name\"")] {
        std::fs::write(file.path(), broken).expect("written");
        identifier.refresh();
        assert_eq!(refused(&hub_key, &[]).await, IdentityRefusal::Key, "{broken}");
        assert!(file.create("x", false, None).is_err(), "what is broken is not written over");
    }
    std::fs::write(file.path(), text).expect("written");
    identifier.refresh();
    assert!(by(&hub_key, &[]).await.is_ok());
    std::fs::remove_file(file.path()).expect("removed");
    identifier.refresh();
    assert_eq!(refused(&hub_key, &[]).await, IdentityRefusal::Key);
}

#[test]
fn a_key_has_256_random_bits_of_which_a_private_file_holds_the_hash() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = KeyFile::new(folder.path().join("deep/keys.json"));
    let keys: Vec<(ApiKey, String)> = (0..20).map(|_| file.create("crm", false, None).expect("made")).collect();
    let text = std::fs::read_to_string(file.path()).expect("it is there");
    for (key, presented) in &keys {
        let secret = presented.strip_prefix(&format!("slk_{}_", key.id)).expect("its id");
        assert_eq!(URL_SAFE_NO_PAD.decode(secret).expect("base64url").len(), 32);
        assert!(!text.contains(secret) && text.contains(&super::api_keys::digest(secret)));
    }
    assert_eq!(file.list().expect("read"), keys.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(file.path()).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    for name in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
        assert!(matches!(file.create(name, false, None), Err(KeyFileError::Service { .. })), "{name}");
    }
    assert!(matches!(file.revoke("none"), Err(KeyFileError::NoSuchKey { .. })));
    // Two at once: neither is lost.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| file.create("many", true, None).expect("made"));
        }
    });
    assert_eq!(file.list().expect("read").len(), 28);
}

#[test]
fn only_an_admin_acts_as_somebody() {
    let mut headers = HeaderMap::new();
    let asks = || identified(Principal::user("root"), "idp".into());
    assert!(asks().acting(&headers, |_| false).expect("themselves").actor.is_none());
    headers.insert("x-shortlist-act-as-groups", "g".parse().expect("a value"));
    assert_eq!(asks().acting(&headers, |_| false).expect_err("no admin"), IdentityRefusal::NotAdmin);
    assert_eq!(asks().acting(&headers, |_| true).expect_err("nobody"), IdentityRefusal::Missing(ACT_AS_HEADER));
    headers.insert(ACT_AS_HEADER, "alice".parse().expect("a value"));
    let acts = asks().acting(&headers, |who| who.user == "root").expect("an admin");
    assert_eq!(*acts.principal, Principal::user("alice").with_groups(["g"]));
    assert_eq!(acts.actor.as_deref(), Some(&Principal::user("root")));
    // The service that asks is not put off with the user.
    let hub = Principal { service: Some("hub".to_owned()), ..Principal::user("root") };
    let acts = identified(hub.clone(), "key:1".into()).acting(&headers, |who| who.user == "root").expect("an admin");
    let for_alice = Principal { service: Some("hub".to_owned()), ..Principal::user("alice").with_groups(["g"]) };
    assert_eq!(*acts.principal, for_alice);
    assert_eq!(acts.actor.as_deref(), Some(&hub));
}
