//! StreamFence numbers as Prometheus metrics
