//! The configuration file of the server: what it may leave out, and what it is told when it is wrong.

use shortlist_server::audit::{Durability, OnFailure};
use shortlist_server::{Settings, SettingsError, TokenIssuer};

fn load(text: &str) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("serve.toml");
    std::fs::write(&path, text).expect("written");
    std::fs::write(folder.path().join("secret"), "0123456789abcdef\n").expect("written");
    std::fs::write(folder.path().join("short"), "0123\n").expect("written");
    Settings::load(&path)
}

fn entra(more: &str) -> String {
    format!("[[issuer]]\nname = \"entra\"\nissuer = \"https://a.example/t/v2.0\"\naudience = \"api\"\n{more}")
}

fn hub(more: &str) -> String {
    format!("[[gateway_token]]\nname = \"hub\"\nissuer = \"hub\"\naudience = [\"a\", \"b\"]\n{more}")
}

#[test]
fn everything_may_be_left_out_and_files_are_found_beside_the_configuration() {
    let empty = load("").expect("nothing needs to be there");
    assert!(empty.secret.is_none() && empty.gateway.is_none() && empty.issuers.is_empty());
    let whole = load(&format!(
        "listen = \"0.0.0.0:80\"\npublic_url = \"https://tools.example/\"\npolicy = \"p.toml\"\nsecret_file = \"secret\"\n[gateway]\npeers = [\"10.0.0.0/8\"]\n\
         secret_file = \"secret\"\n{}{}",
        entra(
            "realm = \"entra\"\ntenants = [\"t\"]\nclock_skew = \"30s\"\nclaims = { user = \"email\", groups = [] }\n"
        ),
        hub("secret_file = \"secret\"\nmax_age = \"1m\"\n")
    ));
    let whole = whole.expect("a configuration");
    assert!(whole.policy.is_some_and(|path| path.ends_with("p.toml") && path.is_absolute()));
    assert!(whole.secret.is_some() && whole.gateway.is_some_and(|gateway| gateway.secret.is_some()));
    assert_eq!(whole.mcp.public_url.as_deref(), Some("https://tools.example"));
    assert_eq!(whole.issuers.iter().map(TokenIssuer::name).collect::<Vec<_>>(), ["hub", "entra"]);
}

#[test]
fn what_is_wrong_is_named_with_what_to_write() {
    let check = |text: String, expected: &str| {
        let error = load(&text).map(|_| ()).expect_err(&text).to_string();
        assert!(error.contains(expected) && !error.contains("0123456789abcdef"), "{text}\n{error}");
    };
    check("colour = 1".to_owned(), "unknown field `colour`");
    check("secret = \"0123456789abcdef0\"".to_owned(), "secret_file");
    check("secret_file = \"none\"".to_owned(), "`secret_file`: cannot read the secret from");
    check("secret_file = \"short\"".to_owned(), "at least 16");
    check("secret_file = \"secret\"\nsecret_env = \"X\"".to_owned(), "keep one");
    check("secret_env = \"SHORTLIST_NO_SUCH_VARIABLE\"".to_owned(), "is not set");
    check("[gateway]\npeers = [\"localhost\"]".to_owned(), "`peers` of [gateway]");
    check("public_url = \"https://tools.example/path\"".to_owned(), "`public_url`");
    check("[mcp]\nallowed_hosts = [\"https://a.example\"]".to_owned(), "`allowed_hosts` of [mcp]");
    check("[mcp]\nallowed_origins = [\"a.example\"]".to_owned(), "`allowed_origins` of [mcp]");
    check("[mcp]\norigins = []".to_owned(), "unknown field `origins`");
    check("[gateway]\nsecret = \"0123456789abcdef0\"".to_owned(), "secret_file");
    check("[[issuer]]\nname = \"x\"".to_owned(), "missing field `issuer`");
    check(entra("audience = \"twice\""), "duplicate key");
    check(entra("algorithms = [\"HS256\"]"), "HMAC");
    check(entra("algorithms = [\"none\"]"), "unknown variant `none`");
    check(entra("algorithms = []"), "`algorithms` is empty");
    check(entra("clock_skew = \"10m\""), "`clock_skew` may be from 0ns to 300s");
    check(entra("clock_skew = 10"), "invalid type");
    check(entra("keep_keys = \"1m\""), "`keep_keys` is shorter");
    check(entra("retry_keys = \"1ms\""), "`retry_keys`");
    check(entra("realm = \"a/b\""), "`realm`");
    check(entra("tenants = []"), "`tenants`");
    check(entra("tenants = [\"a/b\"]"), "`tenants`");
    check(entra("tenants = [\"t\"]\nclaims = { tenant = [] }"), "names no claim for the tenant");
    check(entra("claims = { user = [] }"), "`user`");
    check(entra("claims = { name = \"x\" }"), "unknown field `name`");
    check(entra("type = \"id\""), "at+jwt");
    check(entra("ca_file = \"secret\""), "no certificate");
    check(entra("discovery_url = \"http://a.example/x\""), "is not https");
    check(entra("").replace("https://a", "http://a"), "is not https");
    check(entra("").replace("/t/", "/{tenantid}/"), "`tenants` must list");
    check(entra("").replace("\"api\"", "[]"), "`audience` is empty");
    check(entra("") + &entra("").replace("\"entra\"", "\"b\"").replace("/t/", "/u/"), "Write realm = \"b\"");
    check(entra("realm = \"r\"\n") + &entra("realm = \"r\"\n"), "another issuer's");
    check(entra("") + &entra("realm = \"r\"\n"), "two issuers have the `name`");
    check(entra("") + &entra("realm = \"r\"\n").replace("\"entra\"", "\"b\""), "two issuers have the `issuer`");
    check("[limits]\nconnections = 0".to_owned(), "`connections` of [limits] is at least 1");
    check("[limits]\nconnections = 9\nconnections_per_peer = 10".to_owned(), "between 1 and that");
    check("[limits]\nconnections_per_peer = 0".to_owned(), "between 1 and that");
    for rate in ["requests_per_second", "burst", "refused_per_second", "refused_burst"] {
        check(format!("[limits]\n{rate} = 0"), "is between 1 and 1000000");
        check(format!("[limits]\n{rate} = 1000001"), "is between 1 and 1000000");
    }
    check("[limits]\nrequests = 1".to_owned(), "unknown field `requests`");
    check("[tls]\nkey_file = \"secret\"".to_owned(), "missing field `certificate_file`");
    check("[audit]\nkeep_days = 0".to_owned(), "leave them out to keep all");
    check("[audit]\nrotate_bytes = 1000".to_owned(), "a file holds a record at least");
    check("[audit]\non_failure = \"ignore\"".to_owned(), "`refuse` or `count`");
    check("[audit]\nfile = \"x\"".to_owned(), "unknown field `file`");
    check(hub(""), "write one of `key_file`");
    check(hub("key_file = \"secret\""), "no public key in PEM");
    check(hub("key_file = \"secret\"\nsecret_file = \"secret\""), "write one of `key_file`");
    check(hub("secret_file = \"secret\"\nalgorithms = [\"RS256\"]"), "no configured key");
    check(hub("secret_file = \"secret\"\ntenants = [\"t\"]"), "unknown field `tenants`");
}

#[test]
fn limits_are_taken_at_their_edges_and_a_peers_share_follows_the_whole() {
    let limits = |text: &str| load(text).expect("a configuration");
    let (usual, fewer) = (limits(""), limits("[limits]\nconnections = 8"));
    assert_eq!((usual.connections.n_max, usual.connections.n_per_peer_max), (800, 600));
    assert_eq!((fewer.connections.n_max, fewer.connections.n_per_peer_max), (8, 6));
    let least = limits("[limits]\nconnections = 1\nconnections_per_peer = 1\nrequests_per_second = 1\nburst = 1");
    assert_eq!((least.connections.n_max, least.connections.n_per_peer_max), (1, 1));
    assert_eq!((least.rates.calls.per_second, least.rates.calls.burst), (1, 1));
    assert_eq!(least.rates.refusals, usual.rates.refusals);
    let most = limits("[limits]\nrefused_per_second = 1000000\nrefused_burst = 1000000");
    assert_eq!((most.rates.refusals.per_second, most.rates.refusals.burst), (1_000_000, 1_000_000));
}

#[test]
fn the_audit_is_kept_as_configured_and_turned_off_by_a_word() {
    let usual = || std::path::PathBuf::from("usual");
    let config = |text: &str| load(text).expect("a configuration").audit.config(usual());
    let unsaid = config("").expect("it is on");
    assert_eq!((unsaid.folder, unsaid.on_failure), (usual(), OnFailure::Count));
    let said = config(
        "[audit]\nfolder = \"log\"\non_failure = \"refuse\"\ndurability = \"fsync\"\nqueries = true\nkeep_days = 30\nkeep_files = 9\n\
         rotate_bytes = 1000000\n",
    );
    let said = said.expect("it is on");
    assert!(said.folder.is_absolute() && said.folder.ends_with("log") && said.queries);
    assert_eq!((said.on_failure, said.durability), (OnFailure::Refuse, Durability::Fsync));
    assert_eq!((said.keep_days, said.keep_files, said.rotate_bytes), (Some(30), Some(9), 1_000_000));
    assert!(config("[audit]\nfolder = \"off\"").is_none());
}
