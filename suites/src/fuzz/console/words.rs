//! What may be typed on a console, and what stands for text that means nothing to any device.

use slcert_rigs::rig::{Binding, Range, Rig, Step, Template, Values};

/// The letters of text that means nothing: no command of any device is made of them alone.
pub const NOISE: &str = "Zzq";
/// What is typed as a password and never shows again: [`NOISE`] with a digit, which no other text has in this way.
pub const PLANTED: &str = "qZz9Zqz9zQ";
/// What stands behind a line end in a user name: a line of the log that begins with it was made by who typed it.
pub const FORGED: &str = "ZqZqZq";

/// A command that writes a value which can be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What stands before the value.
    pub before: String,
    /// What stands behind it.
    pub after: String,
    /// The values that the rig file gives it.
    pub values: Range,
}

impl Write {
    fn of(template: &Template, values: Range) -> Option<Self> {
        // A value that no command has shows where it stands.
        const PLACE: &str = "\u{1}";
        if !template.names().eq(["value"]) {
            return None;
        }
        let filled = template.fill(&Values::from([("value".to_owned(), PLACE.to_owned())]));
        let filled = filled.ok()?;
        let (before, after) = filled.split_once(PLACE)?;
        Some(Self {
            before: before.to_owned(),
            after: after.to_owned(),
            values,
        })
    }

    /// The command of an operation on a console, where one line does it.
    pub fn bound(rig: &Rig, operation: &str, interface: &str, values: Range) -> Option<Self> {
        match rig.binding(operation, interface)? {
            Binding::Console(binding) => match binding.steps.as_slice() {
                [Step::Send(template)] => Self::of(template, values),
                _ => None,
            },
            _ => None,
        }
    }

    /// The command that writes a value.
    pub fn line(&self, value: u16) -> String {
        format!("{}{value}{}", self.before, self.after)
    }
}

/// The words of one console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Commands that read, and change nothing.
    pub reads: Vec<String>,
    /// Commands that write what may be written.
    pub writes: Vec<Write>,
    /// The command that ends the session.
    pub logout: String,
    /// What ends a line.
    pub newline: String,
}

impl Words {
    /// Those that a rig file binds on a console, without what it forbids.
    pub fn of(rig: &Rig, interface: &str) -> Self {
        let mut words = Self::default();
        if let Some(manner) = rig.interface(interface).and_then(|it| it.console.as_ref()) {
            words.logout.clone_from(&manner.logout);
            words.newline.clone_from(&manner.newline);
        }
        for (name, operation) in &rig.operations {
            let name = name.as_str();
            if let (Some(values), Some(_)) = (operation.values, &operation.read_back) {
                words
                    .writes
                    .extend(Write::bound(rig, name, interface, values));
            }
            let Some(Binding::Console(binding)) = rig.binding(name, interface) else {
                continue;
            };
            if let [Step::Send(template)] = binding.steps.as_slice()
                && rig.surely_reads(name, interface)
            {
                words.reads.extend(template.fill(&Values::new()));
            }
        }
        words.reads.sort_unstable();
        words.reads.dedup();
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slcert_profiles::file::Source;
    use slcert_rigs::rig::SIMULATED;

    #[test]
    fn commands_are_those_that_surely_read_or_write_what_may_be_written() {
        let rig = Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap();
        let words = Words::of(&rig, "console");
        assert!(words.reads.contains(&"whoami".to_owned()));
        assert!(words.reads.contains(&"show setpoint".to_owned()));
        assert!(!words.reads.iter().any(|line| line.contains("purge")
            || line.contains("backup")
            || line.contains("clear")));
        let lines: Vec<_> = words.writes.iter().map(|it| it.line(500)).collect();
        assert!(lines.contains(&"set setpoint 500".to_owned()), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("audit")));
    }
}
