//! Every reason to refuse a token, an API key or a mixture, with real keys and a fixed clock.

mod requests;

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::signer::{Signer, jwks};
use super::token::Presented;
use super::*;
use crate::secret::Secret;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example/t1/v2.0";

/// Making one takes a while.
static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rsa("one"));

fn names() -> ClaimNames {
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    ClaimNames {
        user: list(&["tid", "oid"]),
        tenant: Some("tid".to_owned()),
        groups: list(&["groups"]),
        roles: list(&["roles"]),
        scopes: list(&["scp", "scope"]),
    }
}

/// An issuer with the keys of these signers.
fn issuer(signers: &[&Signer], edit: impl FnOnce(&mut NewIssuer)) -> TokenIssuer {
    let mut new = NewIssuer {
        name: "idp".to_owned(),
        issuer: ISSUER.to_owned(),
        audience: ["api://shortlist".to_owned()].into(),
        algorithms: vec![Algorithm::RS256],
        access_kind: false,
        clock_skew: Duration::from_secs(60),
        max_age: None,
        tenants: Default::default(),
        realm: None,
        claims: names(),
        names_tenant: false,
        keys: NewKeys::Text(jwks(signers).to_string()),
    };
    edit(&mut new);
    TokenIssuer::new(new).expect("an issuer")
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "api://shortlist", "exp": NOW + 600, "nbf": NOW - 10, "iat": NOW - 10,
        "tid": "t1", "oid": "alice", "groups": ["g1", "g 2"], "roles": ["Reader"], "scp": "a.read b.read",
    })
}

/// The claims with one of them otherwise; `null` takes it away.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => claims.as_object_mut().expect("an object").remove(name),
        value => claims.as_object_mut().expect("an object").insert(name.to_owned(), value),
    };
    claims
}

async fn verdict(issuer: &TokenIssuer, token: &str) -> Result<Principal, TokenRefusal> {
    let token = Presented::read(token)?;
    assert!(issuer.issues(token.issuer()?), "the test means this issuer");
    issuer.identify(&token, NOW).await
}

async fn verdict_on(claims: Value) -> Result<Principal, TokenRefusal> {
    verdict(&issuer(&[&RSA], |_| {}), &RSA.token(&claims)).await
}

fn odd(name: &str) -> Result<Principal, TokenRefusal> {
    Err(TokenRefusal::Odd(name.to_owned()))
}

fn missing(name: &str) -> Result<Principal, TokenRefusal> {
    Err(TokenRefusal::Missing(name.to_owned()))
}

fn alice() -> Principal {
    Principal::user("t1/alice")
        .of_tenant("t1")
        .with_groups(["g1", "g 2"])
        .with_roles(["Reader"])
        .with_scopes(["a.read", "b.read"])
}

#[tokio::test]
async fn a_good_token_of_each_kind_of_key_is_taken() {
    let signers = [&RSA, &Signer::p256("two"), &Signer::ed25519("three")];
    let every = |new: &mut NewIssuer| new.algorithms = vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
    let set = issuer(&signers, every);
    for signer in signers {
        assert_eq!(verdict(&set, &signer.token(&claims())).await, Ok(alice()));
        // The same key as an operator would paste it.
        let one = issuer(&[], |new| {
            new.algorithms = vec![signer.algorithm().parse().expect("an algorithm")];
            new.keys = NewKeys::Text(signer.pem());
        });
        assert_eq!(verdict(&one, &signer.token(&claims())).await, Ok(alice()));
        let other = Signer::p256("two");
        assert!(verdict(&one, &other.token(&claims())).await.is_err());
    }
    let secret = b"0123456789abcdef0123456789abcdef";
    let hmac = issuer(&[], |new| {
        new.algorithms = vec![Algorithm::HS256];
        new.keys = NewKeys::Secret(secret.to_vec());
    });
    assert_eq!(verdict(&hmac, &Signer::hmac("any", secret).token(&claims())).await, Ok(alice()));
    assert_eq!(
        verdict(&hmac, &Signer::hmac("any", b"another secret").token(&claims())).await,
        Err(TokenRefusal::Signature)
    );
}

#[tokio::test]
async fn a_token_chooses_neither_its_algorithm_nor_its_key() {
    let set = issuer(&[&RSA], |_| {});
    let header = |alg: &str| json!({ "alg": alg, "typ": "JWT", "kid": "one" });
    let check = async |token: String, expected: TokenRefusal| {
        assert_eq!(verdict(&set, &token).await, Err(expected), "{token}");
    };
    for none in ["none", "None", "nOnE", "", "RS1", "XX256"] {
        check(RSA.token_with(&header(none), &claims()), TokenRefusal::UnknownAlgorithm).await;
    }
    // Without a signature.
    let token = RSA.token(&claims());
    let (message, signature) = token.rsplit_once('.').expect("a signature");
    check(format!("{message}."), TokenRefusal::Malformed).await;
    check(message.to_owned(), TokenRefusal::Malformed).await;
    // Key confusion: the public key, in every form that somebody has of it, as the secret of an HMAC.
    for secret in [RSA.pem(), RSA.pem().trim().to_owned(), RSA.jwk()["n"].as_str().expect("n").to_owned()] {
        let forged = Signer::hmac("one", secret.as_bytes());
        check(forged.token(&claims()), TokenRefusal::Algorithm(Algorithm::HS256)).await;
        check(forged.token_with(&header("RS256"), &claims()), TokenRefusal::Signature).await;
    }
    // An algorithm that the key could do, and the operator did not allow.
    check(RSA.token_with(&header("PS256"), &claims()), TokenRefusal::Algorithm(Algorithm::PS256)).await;
    check(RSA.token_with(&header("RS512"), &claims()), TokenRefusal::Algorithm(Algorithm::RS512)).await;
    // A key that the token brings along.
    let mallory = Signer::rsa("mallory");
    for (id, expected) in [("mallory", TokenRefusal::UnknownKey), ("one", TokenRefusal::Signature)] {
        let brought = json!({ "alg": "RS256", "kid": id, "jwk": mallory.jwk(), "jku": "https://mallory.example",
            "x5u": "https://mallory.example", "x5c": ["AA=="] });
        check(mallory.token_with(&brought, &claims()), expected).await;
    }
    // No key id, where there are ids.
    check(RSA.token_with(&json!({ "alg": "RS256" }), &claims()), TokenRefusal::UnknownKey).await;
    let critical = json!({ "alg": "RS256", "kid": "one", "crit": ["b64"], "b64": false });
    check(RSA.token_with(&critical, &claims()), TokenRefusal::Critical).await;
    // Every byte of it counts.
    let mut changed = claims();
    changed["oid"] = "bob".into();
    let other = RSA.token(&changed);
    let (other, _) = other.rsplit_once('.').expect("a signature");
    check(format!("{other}.{signature}"), TokenRefusal::Signature).await;
    check(format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 256])), TokenRefusal::Signature).await;
    check(format!("{message}.{signature}="), TokenRefusal::Signature).await;
}

#[tokio::test]
async fn a_key_is_good_for_what_it_says_and_nothing_else() {
    let (p256, jwk) = (Signer::p256("one"), RSA.jwk());
    let check = async |edit: &[(&str, Value)], expected: Result<(), TokenRefusal>| {
        let mut key = jwk.clone();
        edit.iter().for_each(|(name, value)| key[*name] = value.clone());
        // The other key keeps the set from being empty.
        let keys = json!({ "keys": [key, Signer::p256("two").jwk()] });
        let set = issuer(&[], |new| {
            new.algorithms = vec![Algorithm::RS256, Algorithm::ES256];
            new.keys = NewKeys::Text(keys.to_string());
        });
        assert_eq!(verdict(&set, &RSA.token(&claims())).await.map(|_| ()), expected, "{edit:?}");
    };
    // The issuer was made with RS256, so a set that has lost its RSA key is refused when it is configured.
    let refused = |edit: (&str, Value)| {
        let mut key = jwk.clone();
        key[edit.0] = edit.1;
        let keys = json!({ "keys": [key, p256.jwk()] }).to_string();
        let new = NewIssuer {
            name: "idp".to_owned(),
            issuer: ISSUER.to_owned(),
            audience: ["a".to_owned()].into(),
            algorithms: vec![Algorithm::RS256],
            access_kind: false,
            clock_skew: Duration::ZERO,
            max_age: None,
            tenants: Default::default(),
            realm: None,
            claims: names(),
            names_tenant: false,
            keys: NewKeys::Text(keys),
        };
        TokenIssuer::new(new).expect_err("no RSA key")
    };
    check(&[("alg", "RS256".into())], Ok(())).await;
    check(&[("key_ops", json!(["verify"]))], Ok(())).await;
    for edit in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RS384")),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!("HS256")),
        ("kty", json!("oct")),
        ("kty", json!("EC")),
        ("n", json!(7)),
    ] {
        assert!(refused(edit).contains("RS256"));
    }
    // A key of Entra's that speaks for one tenant only.
    check(&[("issuer", ISSUER.into())], Ok(())).await;
    check(&[("issuer", "https://idp.example/{tenantid}/v2.0".into())], Ok(())).await;
    check(&[("issuer", "https://idp.example/t2/v2.0".into())], Err(TokenRefusal::UnknownKey)).await;
    // An elliptic key under the name of the RSA key.
    let set = issuer(&[&p256], |new| new.algorithms = vec![Algorithm::ES256]);
    assert_eq!(verdict(&set, &RSA.token(&claims())).await, Err(TokenRefusal::Algorithm(Algorithm::RS256)));
    assert!(super::keyset::KeySet::of_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n").is_err_and(|e| e.contains("private")));
}

#[tokio::test]
async fn audience_and_times_are_strict() {
    let check = async |name: &str, value: Value, expected: Result<Principal, TokenRefusal>| {
        assert_eq!(verdict_on(with(name, value.clone())).await, expected, "{name} {value}");
    };
    check("aud", json!(["x", "api://shortlist"]), Ok(alice())).await;
    check("aud", Value::Null, missing("aud")).await;
    check("aud", json!("API://shortlist"), Err(TokenRefusal::Audience("\"API://shortlist\"".to_owned()))).await;
    check("aud", json!([]), Err(TokenRefusal::Audience("\"\"".to_owned()))).await;
    for wrong in [json!(1), json!({}), json!(["api://shortlist", 1])] {
        check("aud", wrong, odd("aud")).await;
    }
    check("exp", json!(NOW - 59), Ok(alice())).await;
    check("exp", json!(NOW - 60), Err(TokenRefusal::Expired)).await;
    check("exp", json!(0), Err(TokenRefusal::Expired)).await;
    check("exp", Value::Null, missing("exp")).await;
    for wrong in [json!("1900000000"), json!(-1), json!(true), json!([NOW])] {
        check("exp", wrong.clone(), odd("exp")).await;
        check("nbf", wrong, odd("nbf")).await;
    }
    check("nbf", json!(NOW + 60), Ok(alice())).await;
    check("nbf", json!(NOW + 61), Err(TokenRefusal::NotYet)).await;
    check("nbf", Value::Null, Ok(alice())).await;
    check("iat", json!(NOW + 61), Err(TokenRefusal::NotYet)).await;
    check("cnf", json!({ "jkt": "x" }), Err(TokenRefusal::Bound)).await;

    // A gateway's token lives for as long as it may, and is no older.
    let short = issuer(&[&RSA], |new| new.max_age = Some(Duration::from_secs(610)));
    let token = |claims: Value| RSA.token(&claims);
    assert_eq!(verdict(&short, &token(claims())).await, Ok(alice()));
    assert_eq!(verdict(&short, &token(with("exp", json!(NOW + 601)))).await, Err(TokenRefusal::TooOld));
    assert_eq!(verdict(&short, &token(with("iat", Value::Null))).await, missing("iat"));
    let mut old = with("iat", json!(NOW - 671));
    old["exp"] = json!(NOW - 59);
    assert!(verdict(&short, &token(old)).await.is_err());
}

#[tokio::test]
async fn only_access_tokens_are_taken() {
    let any = issuer(&[&RSA], |_| {});
    let strict = issuer(&[&RSA], |new| new.access_kind = true);
    let check = async |kind: Value, by_any: bool, by_strict: bool| {
        let token = RSA.token_with(&json!({ "alg": "RS256", "kid": "one", "typ": kind }), &claims());
        assert_eq!(verdict(&any, &token).await.is_ok(), by_any, "{kind}");
        assert_eq!(verdict(&strict, &token).await.is_ok(), by_strict, "{kind}");
    };
    check(json!("JWT"), true, false).await;
    check(Value::Null, true, false).await;
    check(json!("at+jwt"), true, true).await;
    check(json!("application/AT+JWT"), true, true).await;
    check(json!("logout+jwt"), false, false).await;
    check(json!("dpop+jwt"), false, false).await;
    check(json!(7), false, false).await;
}

#[tokio::test]
async fn claims_of_odd_types_refuse() {
    let long = "x".repeat(257);
    for wrong in [json!(7), json!(["alice"]), json!({}), json!(""), json!(true), json!(long)] {
        assert_eq!(verdict_on(with("oid", wrong.clone())).await, odd("oid"), "{wrong}");
        assert_eq!(verdict_on(with("tid", wrong.clone())).await, odd("tid"), "{wrong}");
    }
    for name in ["oid", "tid", "iss"] {
        assert_eq!(verdict_on(with(name, Value::Null)).await, missing(name));
    }
    // No two users have one key.
    assert_eq!(verdict_on(with("tid", json!("t1/x"))).await, odd("tid"));
    assert_eq!(verdict_on(with("oid", json!("a/b"))).await.map(|who| who.user), Ok("t1/a/b".to_owned()));
    for odd_one in [json!(" alice"), json!("al\nice")] {
        assert_eq!(verdict_on(with("oid", odd_one)).await, odd("oid"));
    }
    for wrong in [json!(7), json!([7]), json!({}), json!([["g"]]), json!([""]), json!([null]), json!([long])] {
        for name in ["groups", "roles", "scp", "scope"] {
            assert_eq!(verdict_on(with(name, wrong.clone())).await, odd(name), "{name} {wrong}");
        }
    }
    let many: Vec<String> = (0..301).map(|i| format!("g{i}")).collect();
    assert_eq!(verdict_on(with("groups", json!(many))).await, Err(TokenRefusal::TooMany("groups".to_owned(), 301)));
    assert!(verdict_on(with("groups", json!(many[1..]))).await.is_ok());
    // One group as a text is one group, whatever is in it; scopes are words.
    let one = verdict_on(with("groups", json!("a group, or two"))).await.expect("taken");
    assert_eq!(one.groups, ["a group, or two".to_owned()].into());
    let scopes = verdict_on(with("scope", json!(["c d", "e"]))).await.expect("taken").scopes;
    assert_eq!(scopes.into_iter().collect::<Vec<_>>(), ["a.read", "b.read", "c d", "e"]);
}

#[tokio::test]
async fn groups_that_did_not_fit_refuse() {
    let overage = |name| Err(TokenRefusal::Overage(name));
    let elsewhere = json!({ "groups": "src1" });
    assert_eq!(verdict_on(with("_claim_names", elsewhere.clone())).await, overage("_claim_names"));
    assert_eq!(verdict_on(with("_claim_names", json!({ "roles": "src1" }))).await, overage("_claim_names"));
    assert_eq!(verdict_on(with("_claim_names", json!("groups"))).await, overage("_claim_names"));
    assert_eq!(verdict_on(with("_claim_names", json!({ "photo": "src1" }))).await, Ok(alice()));
    assert_eq!(verdict_on(with("hasgroups", json!(true))).await, overage("hasgroups"));
    assert_eq!(verdict_on(with("hasgroups", json!("true"))).await, overage("hasgroups"));
    assert_eq!(verdict_on(with("hasgroups", json!(false))).await, Ok(alice()));
    // Pointers begin at a claim, which may be elsewhere.
    let pointers = issuer(&[&RSA], |new| {
        new.claims.groups = vec!["/groups".to_owned()];
        new.claims.roles = vec!["/realm_access/roles".to_owned(), "/https:~1~1example.com~1claims/roles".to_owned()];
    });
    for (name, expected) in [
        ("groups", overage("_claim_names")),
        ("realm_access", overage("_claim_names")),
        ("https://example.com/claims", overage("_claim_names")),
        ("photo", Ok(Principal { roles: Default::default(), ..alice() })),
    ] {
        let mut elsewhere = claims();
        elsewhere["_claim_names"] = json!({ name: "src1" });
        assert_eq!(verdict(&pointers, &RSA.token(&elsewhere)).await, expected, "{name}");
    }
    // Who reads no groups misses none.
    let blind = issuer(&[&RSA], |new| new.claims.groups.clear());
    assert!(verdict(&blind, &RSA.token(&with("_claim_names", elsewhere))).await.is_ok());
}

#[tokio::test]
async fn claims_can_be_mapped() {
    let set = issuer(&[&RSA], |new| {
        new.claims.user = vec!["email".to_owned()];
        new.claims.roles = vec!["/realm_access/roles".to_owned(), "/roles".to_owned()];
        new.claims.tenant = None;
    });
    let mut claims = with("email", json!("alice@example.org"));
    claims["realm_access"] = json!({ "roles": ["nested"] });
    let who = verdict(&set, &RSA.token(&claims)).await.expect("taken");
    assert_eq!(who.user, "alice@example.org");
    assert_eq!(who.roles.into_iter().collect::<Vec<_>>(), ["Reader", "nested"]);
    assert_eq!(who.tenant, None);
    claims["realm_access"] = json!({ "roles": 7 });
    assert_eq!(verdict(&set, &RSA.token(&claims)).await, odd("/realm_access/roles"));
    // A name with slashes, by itself and in a pointer.
    let set = issuer(&[&RSA], |new| {
        new.claims.groups = vec!["https://example.com/groups".to_owned()];
        new.claims.roles = vec!["/https:~1~1example.com~1claims/roles".to_owned(), "/~01/a~1b/~0".to_owned()];
    });
    let mut claims = with("https://example.com/groups", json!(["flat"]));
    claims["https://example.com/claims"] = json!({ "roles": ["nested"] });
    claims["~1"] = json!({ "a/b": { "~": "deep" } });
    let who = verdict(&set, &RSA.token(&claims)).await.expect("taken");
    assert_eq!(who.groups.into_iter().collect::<Vec<_>>(), ["flat"]);
    assert_eq!(who.roles.into_iter().collect::<Vec<_>>(), ["deep", "nested"]);
}

#[tokio::test]
async fn tenants_and_realms_are_kept_apart() {
    let several = issuer(&[&RSA], |new| {
        new.issuer = "https://idp.example/{tenantid}/v2.0".to_owned();
        new.tenants = ["t1".to_owned(), "t2".to_owned()].into();
        new.realm = Some("entra".to_owned());
    });
    let who = verdict(&several, &RSA.token(&claims())).await.expect("taken");
    assert_eq!((who.user.as_str(), who.tenant.as_deref()), ("entra/t1/alice", Some("entra/t1")));
    assert_eq!(who.groups.iter().collect::<Vec<_>>(), ["entra/t1/g 2", "entra/t1/g1"]);
    assert_eq!(who.roles.iter().collect::<Vec<_>>(), ["entra/t1/Reader"]);
    assert_eq!(who.scopes.iter().collect::<Vec<_>>(), ["a.read", "b.read"]);
    // A token of one tenant that claims to be of the other.
    assert_eq!(verdict(&several, &RSA.token(&with("tid", json!("t2")))).await, Err(TokenRefusal::Tenant));
    let mut second = with("tid", json!("t2"));
    second["iss"] = json!("https://idp.example/t2/v2.0");
    assert_eq!(verdict(&several, &RSA.token(&second)).await.expect("taken").user, "entra/t2/alice");
    assert!(!several.issues("https://idp.example/t3/v2.0") && !several.issues("https://idp.example/{tenantid}/v2.0"));

    // One issuer for all its tenants, and a user's key that could be the same in two of them.
    let mails = issuer(&[&RSA], |new| {
        new.tenants = ["t1".to_owned(), "t2".to_owned()].into();
        new.claims.user = vec!["email".to_owned()];
    });
    let mail = |tenant: &str| {
        let mut claims = with("email", json!("alice@example.org"));
        claims["tid"] = json!(tenant);
        RSA.token(&claims)
    };
    assert_eq!(verdict(&mails, &mail("t1")).await.expect("taken").user, "t1/alice@example.org");
    assert_eq!(verdict(&mails, &mail("t2")).await.expect("taken").user, "t2/alice@example.org");
    assert_eq!(verdict(&mails, &mail("t3")).await, Err(TokenRefusal::Tenant));
    assert_eq!(verdict(&mails, &RSA.token(&with("tid", Value::Null))).await, missing("tid"));

    // Likewise where any tenant is accepted and the claim is named.
    let any = issuer(&[&RSA], |new| {
        new.claims.user = vec!["email".to_owned()];
        new.names_tenant = true;
    });
    let who = verdict(&any, &mail("t3")).await.expect("taken");
    assert_eq!((who.user.as_str(), who.tenant.as_deref()), ("t3/alice@example.org", Some("t3")));
    assert_eq!(who.groups.iter().collect::<Vec<_>>(), ["t3/g 2", "t3/g1"]);
    assert_eq!(verdict(&any, &mail("t3/x")).await, odd("tid"));
    assert_eq!(verdict(&any, &RSA.token(&with("tid", Value::Null))).await, missing("tid"));
    // One tenant that is listed needs no prefix, named or not.
    let one = issuer(&[&RSA], |new| {
        new.tenants = ["t1".to_owned()].into();
        new.names_tenant = true;
    });
    assert_eq!(verdict(&one, &RSA.token(&claims())).await, Ok(alice()));
}
