//! The line editor: bytes from the line become lines, whatever the bytes are.

/// Bytes a line may have.
const LONGEST: usize = 256;
/// The commands that take more: one word of base64.
const LONG_COMMANDS: [&[u8]; 7] = [
    b"restore ",
    b"config import ",
    b"update install ",
    b"code load ",
    b"trust revoked ",
    b"trust authority ",
    b"certificate install ",
];

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const ESCAPE: u8 = 0x1b;

/// What a byte led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Line(String),
    /// A line of that many bytes, of which nothing was kept.
    TooLong(usize),
    Interrupt,
    End,
}

/// What the terminal shows for a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    Nothing,
    Byte(u8),
    Erase,
    NewLine,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    /// ESC was seen.
    Started,
    /// ESC [ was seen; as many bytes as are left to skip.
    Control(u8),
}

#[derive(Debug, Default)]
pub(crate) struct LineEditor {
    line: Vec<u8>,
    length: usize,
    sequence: Sequence,
    after_return: bool,
}

impl LineEditor {
    /// What was typed of the line so far.
    pub(crate) fn typed(&self) -> &[u8] {
        &self.line
    }

    /// How many bytes the line has, with those that were not kept.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn clear(&mut self) {
        self.line.clear();
        self.length = 0;
        self.sequence = Sequence::None;
    }

    pub(crate) fn push(&mut self, byte: u8) -> (Option<Input>, Echo) {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        if self.skips(byte) {
            return (None, Echo::Nothing);
        }
        match byte {
            b'\n' if after_return => (None, Echo::Nothing),
            b'\r' | b'\n' => (Some(self.take()), Echo::NewLine),
            INTERRUPT => {
                self.clear();
                (Some(Input::Interrupt), Echo::NewLine)
            }
            END if self.length == 0 => (Some(Input::End), Echo::NewLine),
            BACKSPACE | DELETE => (None, self.erase()),
            ESCAPE => {
                self.sequence = Sequence::Started;
                (None, Echo::Nothing)
            }
            0x20.. => (None, self.add(byte)),
            _ => (None, Echo::Nothing),
        }
    }

    /// Whether a byte belongs to an escape sequence, such as an arrow key's.
    fn skips(&mut self, byte: u8) -> bool {
        let (next, skips) = match (&self.sequence, byte) {
            (Sequence::Started, b'[') => (Sequence::Control(16), true),
            (Sequence::Control(left @ 1..), 0x20..=0x3f) => (Sequence::Control(left - 1), true),
            (Sequence::Control(1..), 0x40..=0x7e) => (Sequence::None, true),
            _ => (Sequence::None, false),
        };
        self.sequence = next;
        skips
    }

    fn add(&mut self, byte: u8) -> Echo {
        self.length = self.length.saturating_add(1);
        if self.length > self.limit() {
            return Echo::Nothing;
        }
        self.line.push(byte);
        // Bytes beyond ASCII may be half a character: they are kept, and shown by nobody.
        if byte.is_ascii() {
            Echo::Byte(byte)
        } else {
            Echo::Nothing
        }
    }

    fn erase(&mut self) -> Echo {
        if self.length > self.line.len() {
            self.length -= 1;
            return Echo::Nothing;
        }
        let mut echo = Echo::Nothing;
        while let Some(byte) = self.line.pop() {
            self.length = self.line.len();
            if byte.is_ascii() {
                echo = Echo::Erase;
            }
            // The bytes 10xxxxxx continue a character that began before.
            if byte & 0xc0 != 0x80 {
                break;
            }
        }
        echo
    }

    fn take(&mut self) -> Input {
        let (length, limit) = (self.length, self.limit());
        let line: String = self.line.utf8_chunks().map(|chunk| chunk.valid()).collect();
        self.clear();
        if length > limit {
            Input::TooLong(length)
        } else {
            Input::Line(line)
        }
    }

    fn limit(&self) -> usize {
        LONG_COMMANDS
            .iter()
            .find(|command| self.line.starts_with(command))
            .map_or(LONGEST, |command| command.len() + crate::backup::LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(bytes: &[u8]) -> Vec<Input> {
        let mut editor = LineEditor::default();
        bytes
            .iter()
            .filter_map(|byte| editor.push(*byte).0)
            .collect()
    }

    fn line(text: &str) -> Input {
        Input::Line(text.into())
    }

    #[test]
    fn any_line_end_ends_one_line() {
        assert_eq!(
            inputs(b"a\rb\nc\r\nd\r"),
            [line("a"), line("b"), line("c"), line("d")]
        );
    }

    #[test]
    fn a_line_can_be_edited() {
        assert_eq!(inputs(b"\x7fshoq\x08w\r"), [line("show")]);
        assert_eq!(inputs("ä\x7fb\r".as_bytes()), [line("b")]);
        assert_eq!(inputs(b"help\x03x\r"), [Input::Interrupt, line("x")]);
        assert_eq!(inputs(b"\x04a\x04\r"), [Input::End, line("a")]);
    }

    #[test]
    fn noise_is_ignored() {
        assert_eq!(
            inputs(b"\x00\x01w\x1b[Aho\x11\x13\xff\xfeami\x1b[1;5C\r"),
            [line("whoami")]
        );
    }

    #[test]
    fn a_long_line_is_counted_and_not_kept() {
        let mut bytes = vec![b'A'; 3000];
        bytes.push(b'\r');
        assert_eq!(inputs(&bytes), [Input::TooLong(3000)]);
        assert_eq!(
            inputs(&[&[b'A'; 256][..], b"\r"].concat()),
            [line(&"A".repeat(256))]
        );
        let restore = [b"restore ", &[b'A'; 2000][..], b"\r"].concat();
        assert!(matches!(&inputs(&restore)[..], [Input::Line(_)]));
    }
}
