//! [`Runtime`]: the ONNX Runtime library, loaded.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use super::model::ModelError;

/// ONNX Runtime, loaded from its shared library. A process has one, which stays loaded.
#[derive(Clone)]
pub struct Runtime(Environment);

/// The one that was loaded, and from where: ONNX Runtime allows one environment a process.
static LOADED: Mutex<Option<(PathBuf, Runtime)>> = Mutex::new(None);

impl Runtime {
    /// Loads the library at `path` (`libonnxruntime.so.*`, `libonnxruntime.*.dylib`). Loading it again costs nothing.
    ///
    /// # Errors
    /// [`ModelError::Library`] when it is missing, no ONNX Runtime, or too old, or when another one was loaded before.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let failed = |reason: String| ModelError::Library { path: path.to_owned(), reason };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        match &*loaded {
            Some((from, runtime)) if from == path => return Ok(runtime.clone()),
            Some((from, _)) => return Err(failed(format!("this process already uses {}", from.display()))),
            None => {}
        }
        let builder = ort::init_from(path).map_err(|error| failed(error.to_string()))?;
        let environment = builder.with_name("shortlist").with_telemetry(false).build();
        let runtime = Self(environment.map_err(|error| failed(error.to_string()))?);
        *loaded = Some((path.to_owned(), runtime.clone()));
        Ok(runtime)
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.0
    }
}
