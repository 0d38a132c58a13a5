//! Secrets of a configuration, and whether everybody on the machine can read the file they stand in.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::path::Path;
use std::sync::Arc;

use crate::error::{ConfigError, Problem};
use crate::expand::{Reference, references};
use crate::raw::Place;

/// A secret, by where it was written: never what it is.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) part: String,
    pub(crate) key: String,
    pub(crate) at: Place,
    /// What the file says where the secret came out of an expansion.
    pub(crate) written: Option<String>,
}

/// A warning for each file with secrets that everybody may read: the configuration itself, and those it refers to.
pub(crate) fn warnings(secrets: &[Secret], name: &Arc<str>, config: &File, directory: &Path) -> Vec<ConfigError> {
    let mut warnings = Vec::new();
    let mut seen = HashSet::new();
    for secret in secrets {
        let mut warn = |file: String, metadata: std::io::Result<Metadata>| {
            if !seen.insert(file.clone()) {
                return;
            }
            let Some(mode) = metadata.ok().as_ref().and_then(open_mode) else { return };
            let problem = Problem::OpenSecret { key: secret.key.clone(), file, mode };
            let (file, part) = (name.clone(), secret.part.clone());
            warnings.push(ConfigError { file, place: Some(secret.at), part, problem });
        };
        match &secret.written {
            None => warn("this file".to_owned(), config.metadata()),
            Some(written) => {
                for reference in references(written) {
                    if let Reference::File(path) = reference {
                        let path = directory.join(path);
                        warn(path.display().to_string(), std::fs::metadata(&path));
                    }
                }
            }
        }
    }
    warnings
}

/// Who may do what with a file, where everybody may read it.
#[cfg(unix)]
fn open_mode(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o004 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_mode(_: &Metadata) -> Option<u32> {
    None
}
