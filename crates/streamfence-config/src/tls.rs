//! How a server speaks TLS. Never a file: whether certificate and key belong together is for whoever loads them.

use std::path::PathBuf;
use std::time::Duration;

use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;
use crate::settings::{TlsClientAuth, TlsProtocol, TlsSettings};

/// What a server's `tls` says; `None` where its transport is plain.
pub(crate) fn resolve(server: &Block, part: &str, report: &mut Report<'_>) -> Option<TlsSettings> {
    let is_wanted = server.text("transport") == "WSS";
    let Some(at) = server.place_of("tls") else {
        // A `tls` that could not be read was reported already.
        if let Some(at) = server.place_of("transport")
            && is_wanted
            && server.is_sound
        {
            let wanted = "certChainPemPath and privateKeyPemPath in it, because transport is WSS".to_owned();
            report.error(part, at, Problem::Missing { key: "tls".to_owned(), wanted });
        }
        return None;
    };
    // Read even where it has no effect: what is wrong with it is wrong.
    let block = server.block("tls", &[Section::Tls], part, report);
    if !is_wanted {
        let why = "transport is WS, so clients connect without TLS";
        report.warning(part, at, Problem::NoEffect { key: "tls", why });
        return None;
    }
    let part = format!("{part}.tls");
    let client_auth = client_auth(&block, &part, report);
    let client_revocations = client_revocations(&block, &client_auth, &part, report);
    Some(TlsSettings {
        cert_chain: PathBuf::from(block.text("certChainPemPath")),
        private_key: PathBuf::from(block.text("privateKeyPemPath")),
        private_key_password: block.secret("privateKeyPassword").map(str::to_owned),
        protocol: match block.text("protocol") {
            "TLSv1.3" => TlsProtocol::Tls13,
            "TLSv1.2" => TlsProtocol::Tls12,
            other => unreachable!("the table of keys has no protocol {other}"),
        },
        client_auth,
        client_revocations,
        handshake_timeout: Duration::from_millis(block.number("handshakeTimeoutMs")),
        max_handshakes: block.number("maxHandshakes") as u16,
    })
}

/// Whether clients show a certificate, and the file of those who sign for them.
fn client_auth(block: &Block, part: &str, report: &mut Report<'_>) -> TlsClientAuth {
    let authorities = block.path("clientCaPemPath");
    match (block.text("clientAuth"), authorities) {
        ("optional", Some(authorities)) => TlsClientAuth::Optional { authorities },
        ("required", Some(authorities)) => TlsClientAuth::Required { authorities },
        ("none", authorities) => {
            if let Some(at) = block.place_of("clientCaPemPath")
                && authorities.is_some()
            {
                let why = "clientAuth is none, so clients are not asked for certificates";
                report.warning(part, at, Problem::NoEffect { key: "clientCaPemPath", why });
            }
            TlsClientAuth::None
        }
        (asked, _) => {
            // A path that could not be read was reported already.
            if block.is_sound {
                let wanted = format!("the file of those who sign for clients, because clientAuth is {asked}");
                let at = block.place_of("clientAuth").unwrap_or(block.at);
                report.error(part, at, Problem::Missing { key: "clientCaPemPath".to_owned(), wanted });
            }
            TlsClientAuth::None
        }
    }
}

/// The file of what those who sign for clients have revoked.
fn client_revocations(
    block: &Block,
    client_auth: &TlsClientAuth,
    part: &str,
    report: &mut Report<'_>,
) -> Option<PathBuf> {
    let lists = block.path("clientCrlPemPath")?;
    if *client_auth != TlsClientAuth::None {
        return Some(lists);
    }
    // Where clients are asked in vain, that was reported already.
    if let Some(at) = block.place_of("clientCrlPemPath")
        && block.text("clientAuth") == "none"
    {
        let why = "clientAuth is none, so clients are not asked for certificates";
        report.warning(part, at, Problem::NoEffect { key: "clientCrlPemPath", why });
    }
    None
}
