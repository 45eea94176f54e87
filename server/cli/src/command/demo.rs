//! `shortlist demo`: the main job from nothing, on a real catalog.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use shortlist_index::{Models, SearchRequest, Snapshot, Store, ToolRef, search};
use shortlist_ingest::config::DISCOVERY_ASSET;
use shortlist_ingest::source::Source;
use shortlist_ingest::source::google_discovery::GoogleDiscovery;
use shortlist_ingest::source::google_discovery::selection::WELL_KNOWN_APIS;
use shortlist_server::{HeaderIdentity, Policy, Principal, Secret};

use super::{serve, sync};
use crate::args::DemoArgs;
use crate::places::PlaceArgs;
use crate::progress::AssetBar;
use crate::{models, print};

/// Who may see what in the demo.
const POLICY: &str = include_str!("demo-policy.toml");
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
    let documents = places.assets().ensure(DISCOVERY_ASSET, &AssetBar::new())?;
    let apis: Vec<String> =
        if args.all { Vec::new() } else { WELL_KNOWN_APIS.iter().map(|&api| api.to_owned()).collect() };
    let sources: [Box<dyn Source>; 1] = [Box::new(GoogleDiscovery::new("google", documents, &apis))];
    let (models, embedder) = models::load(places, false)?;
    let report = sync::sync_into(&home, embedder.as_ref(), &sources, 1)?;
    sync::summary(&report)?;

    let policy_file = home.join("policy.toml");
    if !policy_file.exists() {
        fs::write(&policy_file, POLICY).with_context(|| format!("cannot write {}", policy_file.display()))?;
    }
    let policy = Policy::load(&policy_file)?;
    let snapshot = Store::new(&home).open_current()?.snapshot;
    show_searches(&snapshot, &models, &policy)?;
    show_hidden(&snapshot, &policy)?;
    if args.no_serve {
        return Ok(());
    }

    let secret = secret(&home)?;
    let identity = HeaderIdentity { peers: vec!["127.0.0.1".parse()?, "::1".parse()?], secret: Secret::new(&secret)? };
    print::line(format!(
        "\nServing on http://{}; stop with Ctrl-C. In another terminal:\n\n  \
         curl -s http://{0}/v1/search_tools -H 'content-type: application/json' \\\n    \
         -H 'x-shortlist-user: bob' -H 'x-shortlist-groups: cloud' -H \"x-shortlist-secret: $(cat {})\" \\\n    \
         -d '{{\"query\": \"delete a virtual machine\", \"limit\": 3}}'\n\n\
         Who sees what stands in {}; change it while this runs.\n",
        args.listen,
        home.join("secret").display(),
        policy_file.display()
    ))?;
    serve::log(false);
    serve::serve(args.listen, home, policy_file, identity, models)
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
                print::line(format!("    {:<48} {}", hit.tool.reference.to_string(), hit.tool.summary()))?;
            }
        }
    }
    Ok(())
}

/// A hidden tool and a missing one, asked for by name.
fn show_hidden(snapshot: &Snapshot, policy: &Policy) -> Result<()> {
    let (alices, bobs) = (snapshot.allow(&policy.grant(&alice())), snapshot.allow(&policy.grant(&bob())));
    let request = SearchRequest { limit: 1, ..SearchRequest::new("delete instance") };
    let seen = search(snapshot, &Models::default(), &bobs, &request)?;
    let hidden = seen.hits.first().context("bob sees no tool; is the demo's policy still what it was?")?;
    let hidden = hidden.tool.reference.clone();
    let missing = ToolRef::new(hidden.source(), hidden.namespace(), "no.such.tool", None)?;
    let answers = [&hidden, &missing].map(|reference| snapshot.get(&alices, reference));
    print::line("\nAlice asks for two tools by their refs, one hidden from her and one that does not exist:")?;
    for (reference, answer) in [&hidden, &missing].into_iter().zip(&answers) {
        let answer = if answer.is_some() { "found" } else { "not found" };
        print::line(format!("    {:<48} {answer}", reference.to_string()))?;
    }
    ensure!(answers.iter().all(Option::is_none), "a tool outside Alice's grant was shown to her");
    Ok(())
}

/// The demo's shared secret, made once.
fn secret(home: &Path) -> Result<String> {
    let path = home.join("secret");
    if let Ok(secret) = fs::read_to_string(&path) {
        return Ok(secret);
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
