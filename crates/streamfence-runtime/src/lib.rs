//! Drives the StreamFence core on tokio: shards, the Fence handle, the traits an adapter implements
