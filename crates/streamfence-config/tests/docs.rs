//! The table of keys in `docs/` is made from the code: `UPDATE_EXPECT=1 cargo test -p streamfence-config` writes it anew.

#[test]
fn the_table_of_keys_is_true() {
    let page = format!("{PREAMBLE}\n{}", streamfence_config::reference());
    expect_test::expect_file!["../../../docs/configuration.md"].assert_eq(&page);
}

const PREAMBLE: &str = "# Configuration

A YAML or JSON file, by its extension. `streamfence check FILE` says what is wrong with one, with file, line and column.
Every key may also be written in snake_case. Values may hold `${NAME}` (an environment variable) and `${file:path}` (the
text of a file, relative to this one); `$${` writes a plain `${`. A key that is not in this build is an error, and so is
an unknown one: nothing is ignored.

A file that changes, and `SIGHUP`, have `streamfence serve` read it again, with the files it refers to and the certificates it
names. It is checked whole and then applied whole, or not at all; the log says which (`reloaded`, `reload_refused`), what has
changed and from when on it holds, and what of it needs a restart (`needs_restart`). [`reload.md`](reload.md) says what can
change while a server runs, and how certificates are replaced.

[`limits.md`](limits.md) says what an address and a client may have, what is answered beyond it, and whose word about
addresses is taken.

`memoryBudgetBytes` bounds what messages take over all clients: each counts once with 256 bytes for what lies around it,
from its publish until nobody holds it any more, and each entry of a client's lane counts 48 bytes. All servers of a file
share one budget: the sum of what they give. Where none gives any it is half of what the control group of the process may
take (cgroup v2), or of the memory of the machine, or 1 GiB where neither can be read; the log says which. Connections,
sessions and empty lanes are not in it: plan for them beside.

From 31 of 32 parts on, DROP_OLDEST, COALESCE and SNAPSHOT_ONLY lanes shed their oldest messages, those first that cost the
most, down to nine tenths. Where that does not help, SPILL_TO_DISK lanes go to disk, and messages for all others are rejected
(`streamfence_queue_overflow_total{reason=\"budget\"}`, `gap` with reason `rejected`). A best-effort client that has read
everything goes on receiving. `/readyz` answers 503 until no more than nine tenths are used again.

`transport: WSS` has a server speak TLS, with ALPN `http/1.1`, to all its clients: websocket, polling and `/healthz`. A
client without TLS is closed. `streamfence check` and `serve` read certificate and key and say which file is wrong: both
end with code 4 where they do not belong together, the key is under another password, or a file is not what it should be.
What is odd is a warning: a certificate that is not valid now, a key that everybody may read, a password without a use.
The key is RSA of 2048 bits or more, ECDSA P-256, P-384 or Ed25519. `protocol: TLSv1.3` speaks that alone, `TLSv1.2` both.
What replaces the files is taken up for new connections, and `clientAuth` asks clients for certificates of their own;
[`reload.md`](reload.md) says more of both. Who takes no whole record of TLS (16 KiB at most) within `stallTimeoutMs` is cut
off.

A handshake takes no place of `maxConnections`. While `maxHandshakes` go on, new connections wait in the backlog of the
system, so that a crowd that comes back is served in order. Where no place comes free within 10 ms, the oldest handshake
gives way once it has had a second: clients that begin one and never finish it do not keep others out. Every failed
handshake is counted, `streamfence_tls_handshakes_failed_total{reason}`.

`auth: TOKEN` has clients show tokens, which `staticTokens`, `jwt` and `authHook` are asked about in this order; what wants
one has `authRequired: true`. [`protocol.md`](protocol.md#who-a-client-is) says where a client shows it, and
[`auth.md`](auth.md) what tokens there are, what they allow, and how the hook is asked. All of it can change while the server
runs: a reload that makes a server ask for tokens gives the clients that are in `authTimeoutMs` to show one. Each refused
token is a line in the log (`auth_rejected`, with namespace, address and reason; of more than ten in a second,
`auth_rejected_more` tells how many) and counted
(`streamfence_auth_rejected_total`, `streamfence_auth_rate_limited_total`).

`overflowAction: SPILL_TO_DISK` lets lanes overflow to `spillRootPath`; [`spill.md`](spill.md) says what that does, how much
room it takes and what a full disk does.
";
