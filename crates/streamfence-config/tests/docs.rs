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

`SIGHUP` has `streamfence serve` read the file again. It is checked whole and then applied whole, or not at all; the log
says which (`reloaded`, `reload_refused`), and what of it needs a restart (`needs_restart`). Namespaces, topics and their
policies change at once under connected clients: what grows counts at once, what shrinks discards nothing, a message
keeps the promise it was published under, and the subscribers of a topic that is gone are told `removed`.
";
