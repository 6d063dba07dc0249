//! How a device is tested: a folder for each foundational requirement, a file for each requirement.

#![deny(missing_docs)]
