//! The HTTP side of StreamFence: publish, health, metrics
