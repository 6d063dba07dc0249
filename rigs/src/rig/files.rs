//! What a vendor hands to a lab beside the device: firmware images, mobile code, configurations, backups, roots of trust; and the
//! settings it recommends.

use std::collections::BTreeMap;

use slcert_profiles::file::{Fields, Located, Table, Word};

use super::name::Name;
use super::template::Template;

/// A file that the device takes, or has to refuse.
#[derive(Clone, Debug)]
pub struct VendorFile {
    /// Where it is on this machine.
    pub file: Template,
    /// Why the device has to refuse it; a file without a fault is sound.
    pub fault: Option<FileFault>,
    /// Images and mobile code: the version that the device tells when it runs it.
    pub version: Option<String>,
    /// Configurations: the owner's root of trust that makes the device take it.
    pub trust: Option<Located<Name>>,
    /// Configurations: what reads back what, once it is taken.
    pub sets: BTreeMap<Name, Located<String>>,
}

/// What is wrong with a file that is well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// Older than what is there.
    Older,
    /// Signed by somebody whom the device has no reason to trust.
    ForeignSignature,
    /// Not signed.
    Unsigned,
    /// Made for another product.
    OtherProduct,
    /// Made by, or for, another device of this type.
    OtherDevice,
}

impl FileFault {
    /// The fault in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Older => "older than what is there",
            Self::ForeignSignature => "signed by somebody else",
            Self::Unsigned => "not signed",
            Self::OtherProduct => "made for another product",
            Self::OtherDevice => "made for another device",
        }
    }
}

impl Word for FileFault {
    const WHAT: &'static str = "fault of a file";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("older", Self::Older),
        ("foreign-signature", Self::ForeignSignature),
        ("unsigned", Self::Unsigned),
        ("other-product", Self::OtherProduct),
        ("other-device", Self::OtherDevice),
    ];
}

slcert_profiles::settings_word!(FileFault);

/// A setting as the vendor recommends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommended {
    /// Its value, as the device shows it.
    pub value: String,
    /// Another value that the device takes, so that a change can be tried.
    pub other: Option<String>,
}

impl Table for VendorFile {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let file = f.required(
            "file",
            "Where it is; may have placeholders such as `{work}` and `{rig}`.",
        );
        let fault = f.optional(
            "fault",
            "Why the device has to refuse it; leave it out for a sound file.",
        );
        let version = f.optional(
            "version",
            "Images and mobile code: the version that the device tells when it runs it.",
        );
        let trust = f.optional(
            "trust",
            "Configurations: the owner's root of trust that makes the device take it.",
        );
        let sets = f.or(
            "sets",
            "Configurations: the operations that read back what it sets, and what they read then.",
            BTreeMap::new(),
        );
        Some(Self {
            file: file?,
            fault: fault?,
            version: version?,
            trust: trust?,
            sets: sets?,
        })
    }
}

impl Table for Recommended {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let value = f.required("value", "Its value, as the device shows it.");
        let other = f.optional(
            "other",
            "Another value that the device takes, so that a change can be tried.",
        );
        Some(Self {
            value: value?,
            other: other?,
        })
    }
}

slcert_profiles::settings_table!(VendorFile, Recommended);
