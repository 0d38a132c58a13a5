//! What `tls` says of clients that show certificates.

use expect_test::{Expect, expect};
use streamfence_config::{Format, TlsClientAuth, parse};

fn file(more: &str) -> String {
    format!(
        "servers:\n  s:\n    port: 0\n    transport: WSS\n    namespaces: [{{path: /n, topics: [a]}}]\n    \
         tls:\n      certChainPemPath: chain.pem\n      privateKeyPemPath: key.pem\n      {more}\n"
    )
}

fn auth(more: &str) -> Result<(TlsClientAuth, String), String> {
    let no_references = |_: streamfence_config::Reference<'_>| Err("no references".to_owned());
    let settings = parse(&file(more), Format::Yaml, "f.yaml", &no_references).map_err(|why| why.to_string())?;
    let tls = settings.servers[0].tls.clone().ok_or("there is no tls")?;
    Ok((tls.client_auth, settings.warnings.iter().map(ToString::to_string).collect()))
}

#[test]
fn those_who_sign_for_clients_are_named_where_clients_show_certificates() {
    let authorities = || "ca.pem".into();
    let cases = [
        ("clientAuth: none", TlsClientAuth::None),
        ("protocol: TLSv1.3", TlsClientAuth::None),
        ("clientAuth: optional\n      clientCaPemPath: ca.pem", TlsClientAuth::Optional { authorities: authorities() }),
        (
            "client_auth: required\n      client_ca_pem_path: ca.pem",
            TlsClientAuth::Required { authorities: authorities() },
        ),
    ];
    for (more, wanted) in cases {
        assert_eq!(auth(more), Ok((wanted, String::new())), "{more}");
    }
}

#[test]
fn one_without_the_other_is_told() {
    let check = |more: &str, expected: Expect| {
        let told = auth(more).map_or_else(|errors| errors, |(_, warnings)| format!("warning: {warnings}"));
        expected.assert_eq(&told);
    };
    check(
        "clientAuth: required",
        expect![
            "f.yaml:9:19: `clientCaPemPath` is missing; wanted the file of those who sign for clients, because clientAuth is required (servers.s.tls)"
        ],
    );
    check(
        "clientAuth: some",
        expect![[r#"f.yaml:9:19: clientAuth is "some"; wanted none, optional or required (servers.s.tls)"#]],
    );
    check(
        "clientCaPemPath: ca.pem",
        expect![
            "warning: f.yaml:9:24: clientCaPemPath has no effect: clientAuth is none, so clients are not asked for certificates (servers.s.tls)"
        ],
    );
    check(
        "clientAuth: optional\n      clientCaPemPath: ''",
        expect![[r#"f.yaml:10:24: clientCaPemPath is ""; wanted a text that is not empty (servers.s.tls)"#]],
    );
}
