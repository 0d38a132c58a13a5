//! The numbers of a fence as Prometheus metrics.
//!
//! Read the modules in this order.

pub mod families;

pub mod metrics;

mod disk;

pub use families::{FAMILIES, Family, reference};
pub use metrics::Metrics;

#[cfg(test)]
mod tests;
