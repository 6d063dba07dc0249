//! What a person would read on a console: text without terminal escapes.

use vte::{Parser, Perform};

/// The most text that is kept, in bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// Turns bytes of a terminal into text. It keeps its state between pieces, so that an escape sequence or a character may
/// be cut anywhere.
#[derive(Default)]
pub(super) struct Screen {
    parser: Parser,
    paper: Paper,
}

#[derive(Default)]
struct Paper {
    text: String,
    returned: bool,
}

impl Screen {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.paper, bytes);
    }

    pub(super) fn text(&self) -> &str {
        &self.paper.text
    }

    /// Forgets the first `length` bytes of the text.
    pub(super) fn forget(&mut self, length: usize) -> String {
        let rest = self.paper.text.split_off(length);
        std::mem::replace(&mut self.paper.text, rest)
    }
}

impl Paper {
    fn line_start(&self) -> usize {
        self.text.rfind('\n').map_or(0, |at| at + 1)
    }
}

impl Perform for Paper {
    fn print(&mut self, c: char) {
        if self.returned {
            // Text after a lone carriage return is written over the line.
            self.returned = false;
            let start = self.line_start();
            self.text.truncate(start);
        }
        if self.text.len() < MAX_TEXT {
            self.text.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.returned = false;
                if self.text.len() < MAX_TEXT {
                    self.text.push('\n');
                }
            }
            b'\r' => self.returned = true,
            0x08 if !self.text.ends_with('\n') => {
                self.text.pop();
            }
            b'\t' => self.print('\t'),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> String {
        let mut screen = Screen::default();
        for piece in pieces {
            screen.feed(piece);
        }
        screen.text().to_owned()
    }

    #[test]
    fn escapes_are_no_text() {
        assert_eq!(
            read(&[b"\x1b[1;32mvera\x1b[0m@tc> \x1b[6n\x1b]0;title\x07"]),
            "vera@tc> "
        );
        assert_eq!(read(&[b"a\x1b[", b"31", b"mb"]), "ab");
        assert_eq!(
            read(&[
                "\u{e9}".as_bytes().split_at(1).0,
                "\u{e9}".as_bytes().split_at(1).1
            ]),
            "é"
        );
    }

    #[test]
    fn lines_end_as_they_would_on_a_terminal() {
        assert_eq!(read(&[b"one\r\ntwo\n\rthree"]), "one\ntwo\nthree");
        assert_eq!(read(&[b"10%\r20%\r30%\r\n"]), "30%\n");
        assert_eq!(read(&[b"abx\x08c"]), "abc");
    }

    #[test]
    fn a_device_that_never_stops_fills_no_memory() {
        let mut screen = Screen::default();
        for _ in 0..2000 {
            screen.feed(&[b'x'; 1024]);
        }
        assert_eq!(screen.text().len(), MAX_TEXT);
    }
}
