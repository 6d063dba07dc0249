//! How Chromium is started, for tests and benchmarks.

/// What keeps it from the network and from the machine's other users.
pub const ALONE: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
