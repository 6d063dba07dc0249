//! What was found: the record of a campaign, its assessment, and the views of it.

#![deny(missing_docs)]
