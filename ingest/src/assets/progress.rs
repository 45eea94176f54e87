//! [`Progress`]: what an operator may watch while an asset is fetched.

/// Is told what happens. The command line draws it; [`Silent`] does not.
///
/// Calls come from the thread that fetches.
pub trait Progress: Sync {
    /// Something happened.
    fn event(&self, event: AssetEvent<'_>);
}

/// One step of fetching an asset, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssetEvent<'a> {
    /// Another process is fetching the same asset; it is waited for.
    Waiting {
        /// The asset's name.
        asset: &'a str,
    },
    /// A wheel is on its way. Comes several times a second, with a growing count.
    Downloading {
        /// The asset's name.
        asset: &'a str,
        /// Package and version.
        package: &'a str,
        /// What has come, in bytes.
        bytes: u64,
        /// What is to come, in bytes.
        bytes_total: u64,
    },
    /// The wheel has come; its hash is checked and its files are unpacked.
    Unpacking {
        /// The asset's name.
        asset: &'a str,
        /// Package and version.
        package: &'a str,
    },
    /// The asset is in place.
    Installed {
        /// The asset's name.
        asset: &'a str,
    },
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: AssetEvent<'_>) {}
}
