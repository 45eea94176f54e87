//! Runs the target that `FUZZ_TARGET` names under libFuzzer; with `FUZZ_SEEDS` it writes the target's seeds into that folder
//! first. `benches/fuzz/run` does both.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use shortlist_benches::fuzz::{TARGETS, Target};

fuzz_target!(|bytes: &[u8]| (target().run)(bytes));

fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let names = TARGETS.map(|target| target.name).join(", ");
        let target = TARGETS.iter().find(|target| target.name == name);
        let target = target.unwrap_or_else(|| panic!("FUZZ_TARGET is one of {names}, not {name:?}"));
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(PathBuf::from) {
            for (n, seed) in target.seeds.iter().enumerate() {
                std::fs::write(folder.join(format!("seed-{n}")), seed).expect("the folder of seeds can be written");
            }
        }
        target
    })
}
