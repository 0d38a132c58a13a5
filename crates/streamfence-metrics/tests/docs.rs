//! The table of metrics in `docs/` is made from the code: `UPDATE_EXPECT=1 cargo test -p streamfence-metrics` writes it
//! anew.

#[test]
fn the_table_of_metrics_is_true() {
    let page = format!("{PREAMBLE}\n{}", streamfence_metrics::reference());
    expect_test::expect_file!["../../../docs/metrics.md"].assert_eq(&page);
}

const PREAMBLE: &str = "# Metrics

OpenMetrics text on `/metrics` of the admin address. Labels are the namespaces and topics of the configuration, and
closed lists of reasons: never a client's name, never a word a client chose.
";
