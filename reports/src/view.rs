//! All views of a record, by the names of their files. A campaign and `slcert report` write the same ones.

use std::path::Path;

use thiserror::Error;

use crate::assess::Assessment;
use crate::csv::requirements;
use crate::ctrf::ctrf;
use crate::html::html;
use crate::junit::{JunitError, JunitOptions, junit, junit_with};
use crate::markdown::markdown;
use crate::metrics::metrics;
use crate::oscal::oscal;
use crate::record::Record;
use crate::store::{RecordError, replace};

/// The JSON Schema of `result.json`. It lies beside it, so that a bundle can be read when this program is gone.
pub const SCHEMA: &str = include_str!("../result.schema.json");

/// One view of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The name of its file, which lies beside `result.json` or in a folder there.
    pub name: &'static str,
    /// What stands in it.
    pub text: String,
}

/// A view could not be made. It is a fault of this program.
#[derive(Debug, Error)]
pub enum ViewError {
    /// The JUnit report.
    #[error(transparent)]
    Junit(#[from] JunitError),
    /// The page.
    #[error("report.html cannot be written: {0}")]
    Html(#[from] askama::Error),
    /// A file for programs.
    #[error("the figures cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Every view of a record: the same record gives the same bytes.
///
/// # Errors
/// [`ViewError`].
pub fn views(record: &Record, assessment: &Assessment) -> Result<Vec<View>, ViewError> {
    let mut files = vec![
        ("report.html", html(record, assessment)?),
        ("junit.xml", junit(record, assessment)?),
        ("summary.md", markdown(record, assessment)),
        ("requirements.csv", requirements(record, assessment)),
        ("ctrf.json", ctrf(record, assessment)),
        ("metrics.json", metrics(record, assessment).json()?),
        ("result.schema.json", SCHEMA.to_owned()),
    ];
    for &flavour in &record.wanted.junit {
        let options = JunitOptions {
            flavour: Some(flavour),
            ..JunitOptions::default()
        };
        files.push((flavour.file(), junit_with(record, assessment, &options)?));
    }
    if record.wanted.oscal {
        files.extend(oscal(record, assessment));
    }
    let views = files.into_iter().map(|(name, text)| View { name, text });
    Ok(views.collect())
}

impl View {
    /// Writes it into a folder: at any time either the old file stands there or the new one, whole.
    ///
    /// # Errors
    /// [`RecordError::Io`] if the folder does not take it.
    pub fn write(&self, folder: &Path) -> Result<(), RecordError> {
        let path = folder.join(self.name);
        let within = path.parent().unwrap_or(folder);
        let written =
            std::fs::create_dir_all(within).and_then(|()| replace(&path, self.text.as_bytes()));
        written.map_err(|source| RecordError::Io {
            verb: "write",
            path,
            source,
        })
    }
}
