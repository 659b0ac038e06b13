//! Logs on standard error: ids and counts, never names, sites or secrets above debug.

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is a directive such as `info` or `preau_edge=debug,info`; a wrong one falls back to `info`.
/// A second call changes nothing.
pub fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).finish();
    drop(tracing::subscriber::set_global_default(subscriber));
}
