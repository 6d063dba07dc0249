//! The `slcert` command line.

fn main() {}
