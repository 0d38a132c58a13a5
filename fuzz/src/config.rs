use streamfence_config::{Format, Reference, parse};

/// Reads text as a configuration, as YAML and as JSON. Whatever an operator writes is answered, never with a panic.
///
/// # Panics
/// When the configuration crate does, or when it says no and not why.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for (format, name) in [(Format::Yaml, "fuzz.yaml"), (Format::Json, "fuzz.json")] {
        let lookup = |reference: Reference<'_>| match reference {
            Reference::Env("") => Err("it has no name".to_owned()),
            Reference::Env(name) => Ok(name.to_owned()),
            Reference::File(_) => Err("there are no files here".to_owned()),
        };
        match parse(text, format, name, &lookup) {
            Ok(settings) => assert!(!settings.servers.is_empty(), "a configuration has a server"),
            Err(errors) => assert!(!errors.to_string().is_empty(), "a refusal has a reason"),
        }
    }
}
