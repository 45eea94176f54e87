//! `shortlist namespaces`.

use anyhow::Result;
use serde_json::json;

use crate::args::NamespacesArgs;
use crate::places::PlaceArgs;
use crate::print;

/// Lists the namespaces of the generation that serves.
pub fn run(places: &PlaceArgs, args: &NamespacesArgs) -> Result<()> {
    let snapshot = super::open(places)?;
    let namespaces = snapshot.namespaces(&snapshot.allow(&args.viewer.grant(&places.home())?));
    if args.json {
        let value = |count: &shortlist_index::NamespaceCount| json!({ "source": count.source, "namespace": count.namespace, "n_tools": count.n_tools });
        return print::json(&namespaces.iter().map(value).collect::<Vec<_>>());
    }
    for count in namespaces {
        print::line(format!("{:>7}  {}://{}", count.n_tools, count.source, count.namespace))?;
    }
    Ok(())
}
