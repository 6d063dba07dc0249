//! Reading TOML files that people write: profiles and rig files.
//!
//! A type describes itself once, in [`Table::fields`]; that one description reads a file, with every fault in it reported
//! where it stands, and writes the JSON Schema that editors complete from.
//!
//! ```
//! use slcert_profiles::file::{Fields, Source, Table, read};
//!
//! struct Port { number: u16, open: bool }
//!
//! impl Table for Port {
//!     fn fields(f: &mut impl Fields) -> Option<Self> {
//!         let number = f.required("number", "The port's number.");
//!         let open = f.or("open", "Whether it is open.", true);
//!         Some(Self { number: number?, open: open? })
//!     }
//! }
//! slcert_profiles::settings_table!(Port);
//!
//! let source = Source::new("port.toml", "number = 502\nopne = false\nopen = 1\n");
//! let faults = read::<Port>(&source).err().unwrap().to_string();
//! assert!(faults.contains("`opne`") && faults.contains("`open`"));
//! ```

mod diagnostic;
mod schema;
mod setting;
mod source;
mod suggest;
mod table;
mod values;

pub use diagnostic::{Diagnostic, Diagnostics, MAX_FAULTS, Severity};
pub use schema::schema_of;
#[doc(hidden)]
pub use setting::words_schema;
pub use setting::{Schema, Setting, Word};
pub use source::{MAX_FILE, Source};
pub use suggest::{choose, closest, excerpt};
#[doc(hidden)]
pub use table::table_schema;
pub use table::{Fields, Table, read, read_table, read_with_warnings};
#[doc(hidden)]
pub use toml::{Spanned, de::DeValue};
pub use values::{Attempt, Located, Pattern, Period, Several, Text};
