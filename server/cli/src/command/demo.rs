//! `shortlist demo`: the main job from nothing, on a real catalog.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use shortlist_index::{Models, SearchRequest, Snapshot, Store, ToolRef, search};
use shortlist_ingest::config::DISCOVERY_ASSET;
use shortlist_ingest::handling::Handling;
use shortlist_ingest::source::Source;
use shortlist_ingest::source::google_discovery::GoogleDiscovery;
use shortlist_ingest::source::google_discovery::selection::WELL_KNOWN_APIS;
use shortlist_ingest::sync::SyncOptions;
use shortlist_server::audit::{Audit, AuditConfig};
use shortlist_server::telemetry::Telemetry;
use shortlist_server::{Config, HeaderIdentity, Identities, Policy, Principal, Secret};

use super::{serve, sync};
use crate::args::DemoArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::progress::AssetBar;
use crate::{models, print};

/// Who may see what in the demo.
const POLICY: &str = include_str!("demo-policy.toml");
/// The demo's source.
const SOURCE: &str = "google";
/// What both users ask.
const QUERIES: [&str; 3] = ["list the files in a folder", "send an email", "delete a virtual machine"];
/// Hits shown of each search.
const HITS: usize = 3;

/// Alice is an office worker: what she may see, her OAuth scopes decide.
fn alice() -> Principal {
    let scope = |name: &str| format!("https://www.googleapis.com/auth/{name}");
    Principal::user("alice").with_groups(["office"]).with_scopes([
        scope("drive.readonly"),
        scope("calendar"),
        scope("gmail.send"),
        scope("gmail.readonly"),
    ])
}

/// Bob runs the cloud: his group decides.
fn bob() -> Principal {
    Principal::user("bob").with_groups(["cloud"])
}

/// Fetches, indexes, searches as two users, and serves.
pub fn run(places: &PlaceArgs, args: &DemoArgs) -> Result<()> {
    let home = places.demo_home();
    check_home(&home)?;
    let documents = places.assets().ensure(DISCOVERY_ASSET, &AssetBar::new())?;
    let apis: Vec<String> =
        if args.all { Vec::new() } else { WELL_KNOWN_APIS.iter().map(|&api| api.to_owned()).collect() };
    let sources: [Box<dyn Source>; 1] = [Box::new(GoogleDiscovery::new(SOURCE, documents, &apis))];
    let (models, embedder) = models::load(places, false, Sessions::PerCore)?;
    // Another selection of APIs is meant to replace the one before, however much smaller it is.
    let all = Handling { shrink_max: 1.0, ..Handling::default() };
    let options = SyncOptions { keep_older: 1, handling: [(SOURCE.to_owned(), all)].into(), ..SyncOptions::default() };
    let report = sync::sync_into(&home, embedder.as_ref(), &sources, &options)?;
    sync::summary(&report)?;

    let policy_file = home.join("policy.toml");
    if !policy_file.exists() {
        fs::write(&policy_file, POLICY).with_context(|| format!("cannot write {}", policy_file.display()))?;
    }
    let policy = Policy::load(&policy_file)?;
    let snapshot = Store::new(&home).open_current()?.snapshot;
    show_searches(&snapshot, &models, &policy)?;
    show_hidden(&snapshot, &policy)?;
    print::line(format!("\nThis is in {0}, where other commands look with --home {0}", home.display()))?;
    if args.no_serve {
        return Ok(());
    }

    let secret = secret(&home)?;
    let secret = Secret::new(&secret)?;
    let gateway = HeaderIdentity { peers: vec!["127.0.0.1".parse()?, "::1".parse()?], secret: secret.clone() };
    let identity = Identities { gateway: Some(gateway), issuers: Vec::new(), keys_file: home.join("keys.json") };
    print::line(format!(
        "\nServing on http://{}; stop with Ctrl-C. In another terminal:\n\n  \
         curl -s http://{0}/v1/search_tools -H 'content-type: application/json' \\\n    \
         -H 'x-shortlist-user: bob' -H 'x-shortlist-groups: cloud' -H \"x-shortlist-secret: $(cat {})\" \\\n    \
         -d '{{\"query\": \"delete a virtual machine\", \"limit\": 3}}'\n\n\
         Who sees what stands in {}; change it while this runs. Who saw what: shortlist audit tail --folder {}\n",
        args.listen,
        home.join("secret").display(),
        policy_file.display(),
        serve::audit_folder(&home).display()
    ))?;
    serve::log(false, &Telemetry::none());
    let audit = Audit::start(AuditConfig::new(serve::audit_folder(&home)), &secret)?;
    let mut config = Config::new(home, policy_file, secret, identity);
    config.audit = Some(audit);
    serve::serve(args.listen, None, config, models)
}

/// Refuses a home that holds somebody's catalog: a sync of the demo's source alone would take it away.
fn check_home(home: &Path) -> Result<()> {
    let Ok(opened) = Store::new(home).open_current() else { return Ok(()) };
    let others: Vec<&String> = opened.snapshot.manifest().sources.keys().filter(|&name| name != SOURCE).collect();
    ensure!(
        others.is_empty(),
        "{} holds the catalog of {others:?}, which the demo would replace; name another folder with --home",
        home.display()
    );
    Ok(())
}

/// The same searches as Alice and as Bob.
fn show_searches(snapshot: &Snapshot, models: &Models, policy: &Policy) -> Result<()> {
    for principal in [alice(), bob()] {
        let allowed = snapshot.allow(&policy.grant(&principal));
        let namespaces = snapshot.namespaces(&allowed);
        let named: BTreeSet<&str> = namespaces.iter().map(|count| count.namespace.as_str()).collect();
        print::line(format!(
            "\n{} ({}) may see {} of {} tools, in {} namespaces",
            principal.user,
            principal.groups.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
            allowed.len(),
            snapshot.n_tools(),
            named.len()
        ))?;
        for query in QUERIES {
            let request = SearchRequest { limit: HITS, ..SearchRequest::new(query) };
            let answer = search(snapshot, models, &allowed, &request)?;
            print::line(format!("\n  {}: {query}", principal.user))?;
            for hit in &answer.hits {
                print::line(format!("    {:<64} {}", hit.tool.reference.to_string(), hit.tool.summary()))?;
            }
        }
    }
    Ok(())
}

/// A hidden tool and a missing one, asked for by name.
fn show_hidden(snapshot: &Snapshot, policy: &Policy) -> Result<()> {
    let (alices, bobs) = (snapshot.allow(&policy.grant(&alice())), snapshot.allow(&policy.grant(&bob())));
    let request = SearchRequest { limit: 50, ..SearchRequest::new("delete instance") };
    let seen = search(snapshot, &Models::default(), &bobs, &request)?;
    let mut refs = seen.hits.into_iter().map(|hit| hit.tool.reference);
    let Some(hidden) = refs.find(|reference| snapshot.get(&alices, reference).is_none()) else {
        return Ok(print::line("\nThe policy hides nothing of Bob's from Alice any more.")?);
    };
    let missing = ToolRef::new(hidden.source(), hidden.namespace(), "no.such.tool", None)?;
    let answers = [&hidden, &missing].map(|reference| snapshot.get(&alices, reference));
    print::line("\nAlice asks for two tools by their refs, one hidden from her and one that does not exist:")?;
    for (reference, answer) in [&hidden, &missing].into_iter().zip(&answers) {
        let answer = answer.as_ref().map_or("not found", |_| "found");
        print::line(format!("    {:<64} {answer}", reference.to_string()))?;
    }
    ensure!(answers[0] == answers[1], "a tool that is hidden from Alice was answered otherwise than a missing one");
    Ok(())
}

/// The demo's shared secret, made once.
fn secret(home: &Path) -> Result<String> {
    let path = home.join("secret");
    match fs::read_to_string(&path) {
        Ok(secret) if Secret::new(&secret).is_ok() => return Ok(secret),
        // One that is cut short is no secret.
        Ok(_) => fs::remove_file(&path).with_context(|| format!("cannot replace {}", path.display()))?,
        Err(_) => {}
    }
    let secret = new_secret().context("the system gives no random numbers")?;
    write_private(&path, &secret).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(secret)
}

/// 256 random bits, in hexadecimal.
fn new_secret() -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(shortlist_index::hex(&bytes))
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
