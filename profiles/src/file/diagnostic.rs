//! What is wrong with a file: where, what, and how to mend it.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::source::Source;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is not used.
    Error,
    /// The file is used.
    Warning,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One fault of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is, as bytes of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(span: Range<usize>, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            span,
            what: what.into(),
            help: None,
        }
    }

    /// A warning.
    pub fn warning(span: Range<usize>, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, what)
        }
    }

    /// The same with a way to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All that is wrong with one file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    source: Source,
    list: Vec<Diagnostic>,
    left_out: usize,
}

/// The most faults of one file that are kept: a file that is no settings file has a fault at every word.
pub const MAX_FAULTS: usize = 100;

impl Diagnostics {
    /// The faults of `source`; of more than [`MAX_FAULTS`], the errors are kept first.
    pub fn new(source: Source, mut list: Vec<Diagnostic>) -> Self {
        let left_out = list.len().saturating_sub(MAX_FAULTS);
        if left_out > 0 {
            list.sort_by_key(|one| (one.severity, one.span.start));
            list.truncate(MAX_FAULTS);
        }
        list.sort_by_key(|one| (one.span.start, one.severity));
        Self {
            source,
            list,
            left_out,
        }
    }

    /// How many faults were found that are not in the list.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The faults, in the order of the file.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The faults, each with its line and column, from 1.
    pub fn placed(&self) -> impl Iterator<Item = ((usize, usize), &Diagnostic)> {
        let list = self.list.iter();
        list.map(|one| (self.source.position(one.span.start), one))
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any of them keeps the file from being used.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|one| one.severity == Severity::Error)
    }

    /// The faults as a person reads them, each with its line of the file under it.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        // The renderer shows the control characters of ASCII as pictures, and lets those above pass. They are two bytes
        // long, as is what stands for them, so that every span stays where it is.
        let text = self
            .source
            .text
            .replace(|c| ('\u{80}'..='\u{9f}').contains(&c), "¿");
        let each = self.list.iter().map(|one| {
            let level = match one.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            };
            let end = one.span.end.min(self.source.text.len());
            let span = one.span.start.min(end)..end;
            let group = level.primary_title(one.what.as_str()).element(
                Snippet::source(text.as_str())
                    .path(self.source.name.as_str())
                    .annotation(AnnotationKind::Primary.span(span)),
            );
            let group = match &one.help {
                Some(help) => group.element(Level::HELP.message(help.as_str())),
                None => group,
            };
            renderer.render(&[group])
        });
        let mut text = each.collect::<Vec<_>>().join("\n\n");
        if self.left_out > 0 {
            text.push_str(&format!("\n\nand {} more", self.left_out));
        }
        text
    }
}

impl fmt::Display for Diagnostics {
    /// One line each: `rig.toml:3:1: error: ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, ((line, column), one)) in self.placed().enumerate() {
            let severity = one.severity.word();
            let newline = if at == 0 { "" } else { "\n" };
            let name = &self.source.name;
            write!(
                f,
                "{newline}{name}:{line}:{column}: {severity}: {}",
                one.what
            )?;
            if let Some(help) = &one.help {
                write!(f, "; {help}")?;
            }
        }
        if self.left_out > 0 {
            write!(f, "\nand {} more", self.left_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
