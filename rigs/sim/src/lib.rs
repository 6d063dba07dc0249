//! The simulated device: a process with real ports, its own store, and switchable flaws.

#![deny(missing_docs)]
