//! What every test of the adapter needs: a client made by hand, and patience.

pub(crate) mod client;
pub(crate) mod patience;
