//! Where things are: the home of the generations, the assets, the models.

use std::env;
use std::path::{Path, PathBuf};

use shortlist_ingest::assets::Assets;

/// Places, each with a default that works.
#[derive(Clone, Debug, clap::Args)]
pub struct PlaceArgs {
    /// The folder of generations [default: data/home, and data/demo for `demo`, in a checkout, else in the user's data folder]
    #[arg(long, global = true, env = "SHORTLIST_HOME", value_name = "FOLDER")]
    home: Option<PathBuf>,
    /// The folder of fetched third-party files [default: data/assets in a checkout, else in the user's cache]
    #[arg(long = "assets", global = true, env = "SHORTLIST_ASSETS", value_name = "FOLDER")]
    assets: Option<PathBuf>,
    /// A folder with another embedding model: model.onnx, tokenizer.json, model.toml
    #[arg(long, global = true, env = "SHORTLIST_MODEL", value_name = "FOLDER")]
    pub model: Option<PathBuf>,
    /// A folder with another reranker, of the same shape
    #[arg(long, global = true, env = "SHORTLIST_RERANKER", value_name = "FOLDER")]
    pub reranker: Option<PathBuf>,
    /// The ONNX Runtime library, where it should not be the fetched one
    #[arg(long, global = true, env = "ORT_DYLIB_PATH", value_name = "FILE", hide_short_help = true)]
    pub onnxruntime: Option<PathBuf>,
}

impl PlaceArgs {
    /// The folder of generations.
    pub fn home(&self) -> PathBuf {
        self.home_or("home")
    }

    /// The demo's folder of generations, its own unless one is named.
    pub fn demo_home(&self) -> PathBuf {
        self.home_or("demo")
    }

    fn home_or(&self, name: &str) -> PathBuf {
        self.home.clone().unwrap_or_else(|| in_checkout_or_user(name, "XDG_DATA_HOME", ".local/share"))
    }

    /// What lies beside the checkout for every developer, and is no part of it: `../shared`.
    pub fn shared(&self) -> PathBuf {
        checkout().unwrap_or_default().join("../shared")
    }

    /// The third-party files.
    pub fn assets(&self) -> Assets {
        let root = self.assets.clone().unwrap_or_else(|| in_checkout_or_user("assets", "XDG_CACHE_HOME", ".cache"));
        Assets::locate(root)
    }
}

/// `data/<name>` of the checkout that the command runs in, else `shortlist/<name>` in the user's folder.
fn in_checkout_or_user(name: &str, variable: &str, below_home: &str) -> PathBuf {
    if let Some(checkout) = checkout() {
        return checkout.join("data").join(name);
    }
    let user = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = user.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(below_home)));
    user.unwrap_or_else(|| env::current_dir().unwrap_or_default()).join("shortlist").join(name)
}

/// The checkout that the command runs in.
fn checkout() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    here.ancestors().find(|folder| folder.join("data/assets.toml").is_file()).map(Path::to_owned)
}
