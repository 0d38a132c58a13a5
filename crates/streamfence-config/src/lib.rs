//! The StreamFence configuration file: YAML or JSON to a checked catalog and server settings
