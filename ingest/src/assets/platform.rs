//! [`Platform`]: the machines that native libraries are pinned for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An operating system and a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Platform {
    /// Linux with glibc on 64-bit x86.
    #[serde(rename = "linux-x86_64")]
    LinuxX86_64,
    /// Linux with glibc on 64-bit ARM.
    #[serde(rename = "linux-aarch64")]
    LinuxAarch64,
    /// macOS on Apple's processors.
    #[serde(rename = "macos-aarch64")]
    MacosAarch64,
}

impl Platform {
    /// The platform that this program was built for; `None` when nothing is pinned for it.
    pub fn current() -> Option<Self> {
        if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
            Some(Self::LinuxX86_64)
        } else if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "aarch64")) {
            Some(Self::LinuxAarch64)
        } else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
            Some(Self::MacosAarch64)
        } else {
            None
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinuxX86_64 => "linux-x86_64",
            Self::LinuxAarch64 => "linux-aarch64",
            Self::MacosAarch64 => "macos-aarch64",
        })
    }
}
