//! What must hold: the catalogue of IEC 62443-4-2, security levels and profiles.

#![deny(missing_docs)]
