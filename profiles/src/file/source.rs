//! The text of a file, with its name for messages.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics};

/// The largest file that is read, in bytes. Nobody writes a larger one by hand.
pub const MAX_FILE: u64 = 1 << 20;

/// A file's text and the name that messages call it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name in messages: the path as the user gave it.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// Text that is there already.
    pub fn new(name: impl Into<String>, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A file that is missing, no file, unreadable, larger than [`MAX_FILE`], or not UTF-8.
    pub fn open(path: &Path) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        let refuse = |what: String, help: &str| {
            let one = Diagnostic::error(0..0, what).help(help);
            Diagnostics::new(Self::new(name.clone(), ""), vec![one])
        };
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => refuse(
                "there is no such file".into(),
                "check the path and the folder you are in",
            ),
            _ => refuse(
                format!("the file cannot be read: {error}"),
                "check who may read it",
            ),
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(refuse("this is a folder".into(), "name a file in it"));
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(refuse(
                format!("the file is larger than {MAX_FILE} bytes"),
                "is this the file you meant?",
            ));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, &text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let one = Diagnostic::error(at..at, "the file is not UTF-8 from here on")
                    .help("save it as UTF-8");
                Err(Diagnostics::new(Self::new(name, &text), vec![one]))
            }
        }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source::new("x", "a\nüb\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(4), (2, 2));
        assert_eq!(source.position(99), (3, 1));
    }

    #[test]
    fn what_is_no_readable_file_is_named_and_explained() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Source::open(&folder.path().join("none.toml")).unwrap_err();
        assert!(missing.to_string().contains("no such file"), "{missing}");
        let dir = Source::open(folder.path()).unwrap_err();
        assert!(dir.to_string().contains("folder"), "{dir}");

        let path = folder.path().join("latin1.toml");
        std::fs::write(&path, b"a = 1\nb = '\xfc'\n").unwrap();
        let latin = Source::open(&path).unwrap_err().to_string();
        assert!(latin.contains("UTF-8") && latin.contains(":2:6"), "{latin}");

        std::fs::write(&path, vec![b'#'; MAX_FILE as usize + 1]).unwrap();
        let huge = Source::open(&path).unwrap_err();
        assert!(huge.to_string().contains("larger"), "{huge}");
    }
}
