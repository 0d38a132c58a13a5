//! Reads one file, and the environment and files its values refer to.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{ConfigError, ConfigErrors, Problem};
use crate::expand::Reference;
use crate::resolve::{Format, parse_in};
use crate::secrets;
use crate::settings::{JwtKeySource, Settings, SpillSettings, TlsClientAuth};
use crate::source::Source;

/// The most bytes a configuration may have.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The most bytes a file may have that a value refers to: a secret, not a document.
const MAX_REFERRED_BYTES: u64 = 64 * 1024;

/// Reads a configuration file; its extension says what it is written in.
///
/// `${NAME}` is asked of the environment, `${file:path}` of the file system, from the directory of the configuration. The
/// files of `tls`, `jwt` and `authHook` and the directories of `spillRootPath` are found from there too; they are not opened.
///
/// # Errors
/// Everything that is wrong with the file, each with its place.
pub fn load(path: impl AsRef<Path>) -> Result<Settings, ConfigErrors> {
    load_beside(path, &[])
}

/// The same for a file that is read again while stores are open: a server that spills to one of them goes on with it
/// whatever the file says now, and what is new gets a number of its own.
///
/// # Errors
/// As [`load`].
pub fn load_beside(path: impl AsRef<Path>, open: &[SpillSettings]) -> Result<Settings, ConfigErrors> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let refused_as_a_whole = |problem| {
        let (file, part) = (name.as_str().into(), String::new());
        ConfigErrors::new(vec![ConfigError { file, place: None, part, problem }]).read_from(vec![Source::now(path)])
    };
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => Format::Yaml,
        Some("json") => Format::Json,
        other => {
            return Err(refused_as_a_whole(Problem::UnknownExtension { found: other.unwrap_or_default().to_owned() }));
        }
    };
    let unread = |why: Unread| refused_as_a_whole(why.problem());
    // One file, whatever takes its place meanwhile: what is read and who may read it.
    let file = open_regular(path).map_err(unread)?;
    let text = read_all(&file, MAX_FILE_BYTES).map_err(unread)?;
    let sources = RefCell::new(vec![Source::holding(path, text.as_bytes())]);
    let directory = path.parent().unwrap_or(Path::new(""));
    let lookup = |reference: Reference<'_>| match reference {
        Reference::Env(name) => std::env::var(name).map_err(|why| match why {
            std::env::VarError::NotPresent => "the variable is not set".to_owned(),
            std::env::VarError::NotUnicode(_) => "the variable is not UTF-8".to_owned(),
        }),
        Reference::File(path) => {
            let path = directory.join(path);
            let read = read_regular(&path, MAX_REFERRED_BYTES);
            sources.borrow_mut().push(match &read {
                Ok(text) => Source::holding(&path, text.as_bytes()),
                // Nothing can be known of it that would be another thing once it can be read.
                Err(Unread::Failed(_)) => Source::unread(&path),
                Err(Unread::TooLarge | Unread::NotUtf8) => Source::now(&path),
            });
            match read {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(Unread::TooLarge) => Err(format!("the file is larger than {MAX_REFERRED_BYTES} bytes")),
                Err(Unread::NotUtf8) => Err(NOT_UTF8.to_owned()),
                Err(Unread::Failed(why)) => Err(why),
            }
        }
    };
    let parsed = parse_in(directory, &text, format, &name, &lookup, open);
    let (mut settings, secrets) = parsed.map_err(|errors| errors.read_from(sources.take()))?;
    settings.warnings.extend(secrets::warnings(&secrets, &name.as_str().into(), &file, directory));
    settings.warnings.sort_by_key(|warning| warning.place);
    for tls in settings.servers.iter_mut().filter_map(|server| server.tls.as_mut()) {
        tls.cert_chain = directory.join(&tls.cert_chain);
        tls.private_key = directory.join(&tls.private_key);
        match &mut tls.client_auth {
            TlsClientAuth::None => {}
            TlsClientAuth::Optional { authorities } | TlsClientAuth::Required { authorities } => {
                *authorities = directory.join(&*authorities);
            }
        }
        if let Some(lists) = &mut tls.client_revocations {
            *lists = directory.join(&*lists);
        }
    }
    for auth in settings.servers.iter_mut().filter_map(|server| server.auth.as_mut()) {
        if let Some(JwtKeySource::File(path) | JwtKeySource::Jwks(path)) = auth.jwt.as_mut().map(|jwt| &mut jwt.keys) {
            *path = directory.join(&path);
        }
        if let Some(path) = auth.hook.as_mut().and_then(|hook| hook.ca_certs.as_mut()) {
            *path = directory.join(&path);
        }
    }
    settings.sources = sources.take();
    Ok(settings)
}

const NOT_UTF8: &str = "the file is not UTF-8";

enum Unread {
    TooLarge,
    NotUtf8,
    Failed(String),
}

impl Unread {
    /// It of the configuration itself.
    fn problem(self) -> Problem {
        match self {
            Self::TooLarge => Problem::FileTooLarge { limit: MAX_FILE_BYTES },
            Self::NotUtf8 => Problem::Unreadable { why: NOT_UTF8.to_owned() },
            Self::Failed(why) => Problem::Unreadable { why },
        }
    }
}

/// Reads the text of a configuration as [`load`] does, without a look at what it says.
///
/// # Errors
/// That the file cannot be read, or is larger than a configuration may be.
pub fn read_config(path: impl AsRef<Path>) -> Result<String, ConfigErrors> {
    let path = path.as_ref();
    read_text(path, MAX_FILE_BYTES).map_err(|why| {
        let (file, problem) = (path.display().to_string().into(), why.problem());
        ConfigErrors::new(vec![ConfigError { file, place: None, part: String::new(), problem }])
    })
}

fn failed(why: std::io::Error) -> Unread {
    Unread::Failed(why.to_string())
}

/// The text of a file that is read again while the server runs.
fn read_regular(path: &Path, limit: u64) -> Result<String, Unread> {
    read_all(&open_regular(path)?, limit)
}

/// A file and nothing else: a pipe that nobody writes to would be waited for, and whoever reloads or stops with it.
fn open_regular(path: &Path) -> Result<File, Unread> {
    match std::fs::metadata(path).map_err(failed)?.is_file() {
        true => File::open(path).map_err(failed),
        false => Err(Unread::Failed("it is no regular file".to_owned())),
    }
}

fn read_text(path: &Path, limit: u64) -> Result<String, Unread> {
    read_all(&File::open(path).map_err(failed)?, limit)
}

fn read_all(file: &File, limit: u64) -> Result<String, Unread> {
    let mut bytes = Vec::new();
    // The size a file claims may be wrong, as a device's is; what is read is not.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(Unread::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| Unread::NotUtf8)
}
