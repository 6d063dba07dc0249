//! What is typed on a console: lines that are nearly right, edited, too long, no text at all; and all states of a login.

use memchr::memmem;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::keys::{END, INTERRUPT, XOFF, XON, edit, encoded, long, noise, sequence};
use super::words::{FORGED, PLANTED, Words};
use crate::fuzz::alter::{altered, in_pieces};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};

/// Inputs for one console.
#[derive(Clone, Debug)]
pub struct ConsoleGrammar {
    /// What may be typed.
    pub words: Words,
    /// Whether somebody reads the audit log here.
    pub log: bool,
}

/// Something typed, and what it is.
type Typed = (&'static str, Vec<u8>);

impl Grammar for ConsoleGrammar {
    fn inputs(&self) -> BoxedStrategy<Input> {
        let anew = prop_oneof![9 => Just(false), 1 => Just(true)];
        let cuts = vec((any::<Index>(), 1..=12u64), 1..=3);
        let whole = self
            .line()
            .prop_map(|(label, bytes)| (label, vec![Act::Send(bytes)]));
        let cut = (self.line(), cuts)
            .prop_map(|((label, bytes), cuts)| (label, in_pieces(&bytes, &cuts)));
        let in_session = prop_oneof![9 => whole, 2 => cut, 1 => self.leaving()];
        let in_session = (in_session, anew).prop_map(|((label, mut acts), anew)| {
            acts.insert(0, Act::Login);
            Input {
                label: label.to_owned(),
                anew,
                acts,
            }
        });
        let before = self.before_login().prop_map(|(label, acts)| Input {
            label: label.to_owned(),
            anew: true,
            acts,
        });
        prop_oneof![4 => in_session, 1 => before].boxed()
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        let base = Input {
            label: base.varied_label(),
            ..base.clone()
        };
        // What is planted as a password stays what it is: a part of it may well show elsewhere.
        let whole = |act: &Act| match act {
            Act::Send(bytes) => memmem::find(bytes, PLANTED.as_bytes()).is_none(),
            _ => false,
        };
        let places = base.acts.iter().enumerate().filter(|(_, act)| whole(act));
        let places: Vec<usize> = places.map(|(at, _)| at).collect();
        if places.is_empty() {
            return Just(base).boxed();
        }
        select(places)
            .prop_flat_map(move |at| {
                let base = base.clone();
                let bytes = match &base.acts[at] {
                    Act::Send(bytes) => bytes.clone(),
                    _ => Vec::new(),
                };
                altered(bytes).prop_map(move |bytes| {
                    let mut varied = base.clone();
                    varied.acts[at] = Act::Send(bytes);
                    varied
                })
            })
            .boxed()
    }
}

impl ConsoleGrammar {
    /// A line in a session, or several.
    fn line(&self) -> BoxedStrategy<Typed> {
        let nearly = self
            .nearly_right()
            .prop_map(|line| ("a command, nearly right", line));
        let many = vec(prop_oneof![self.nearly_right(), noise()], 2..=6)
            .prop_map(|lines| ("several lines at once", lines.concat()));
        let lines = prop_oneof![
            8 => nearly,
            3 => long().prop_map(|line| ("a long line", line)),
            4 => vec(edit(), 1..=8).prop_map(|keys| ("a line that is edited", keys.concat())),
            4 => vec(prop_oneof![2 => sequence(), 1 => noise()], 1..=3).prop_map(|keys| ("escape sequences", keys.concat())),
            2 => vec(prop_oneof![2 => encoded(), 1 => noise()], 1..=4).prop_map(|text| ("text in no good encoding", text.concat())),
            2 => (noise(), noise(), any::<bool>()).prop_map(|(before, after, resumes)| {
                let resume: &[u8] = if resumes { &[XON] } else { &[] };
                ("flow control", [&before, &[XOFF][..], &after, resume].concat())
            }),
        ];
        // How a line ends: as it should, given up, or not at all.
        let end = prop_oneof![
            7 => Just(self.words.newline.clone().into_bytes()),
            5 => Just(vec![INTERRUPT]),
            1 => Just(vec![END]),
            1 => Just(b"\r\n".to_vec()),
            2 => Just(Vec::new()),
        ];
        let ended = (lines, end).prop_map(|((label, line), end)| (label, [line, end].concat()));
        prop_oneof![9 => ended, 1 => many].boxed()
    }

    /// A command that reads, with something else about it.
    fn nearly_right(&self) -> BoxedStrategy<Vec<u8>> {
        let newline = self.words.newline.clone();
        let command = || select(self.words.reads.clone());
        let number = || {
            select(vec![
                "0",
                "-1",
                "1",
                "255",
                "256",
                "257",
                "32768",
                "65535",
                "65536",
                "2147483648",
                "4294967296",
                "18446744073709551616",
                "-9223372036854775809",
                "99999999999999999999999999",
                "0x10",
                "1e9",
                "+7",
                "007",
                "0.5",
            ])
        };
        let directive = select(vec![
            "%n", "%n", "%s", "%x", "%hhn", "%99999d", "%1$n", "%*d", "%%",
        ]);
        let quoted = (
            command(),
            select(vec!["\"", "'", "\\", "`", "$(", "${", "#", "~", "\"'"]),
        );
        let joined = (
            command(),
            select(vec![";", "|", "&&", "||", "&", " ; "]),
            command(),
        );
        let around = (
            command(),
            select(vec![" ", "   ", "\u{b}", "\u{c}", "\u{0}", ",", "."]),
            any::<bool>(),
        );
        prop_oneof![
            2 => command().prop_map(String::into_bytes),
            3 => (command(), number()).prop_map(|(line, number)| {
                let words: Vec<_> = line.split(' ').collect();
                match words.iter().rposition(|word| word.parse::<u64>().is_ok()) {
                    Some(at) => [&words[..at], &[number][..], &words[at + 1..]].concat().join(" "),
                    None => format!("{line} {number}"),
                }.into_bytes()
            }),
            3 => (command(), vec(directive, 1..=3)).prop_map(|(line, directives)| format!("{line} {}", directives.concat()).into_bytes()),
            2 => (command(), noise()).prop_map(|(line, more)| [line.as_bytes(), b" ", &more].concat()),
            2 => (command(), any::<Index>()).prop_map(|(line, at)| {
                let bytes = line.into_bytes();
                bytes[..at.index(bytes.len() + 1)].to_vec()
            }),
            2 => quoted.prop_map(|(line, quote)| format!("{line} {quote}").into_bytes()),
            1 => joined.prop_map(|(one, with, other)| format!("{one}{with}{other}").into_bytes()),
            2 => (around, 1..=70usize).prop_map(|((line, blank, before), count)| {
                let blanks = blank.repeat(count);
                if before { format!("{blanks}{line}") } else { line.replace(' ', &blanks) }.into_bytes()
            }),
            1 => (command(), 1..=40usize).prop_map(|(line, times)| format!("{line} ").repeat(times).into_bytes()),
        ]
        .prop_flat_map(move |line| {
            let newline = newline.clone().into_bytes();
            prop_oneof![4 => Just(Vec::new()), 1 => Just(newline)].prop_map(move |end| [line.clone(), end].concat())
        })
        .boxed()
    }

    /// How a session is left, and another one begins.
    fn leaving(&self) -> BoxedStrategy<(&'static str, Vec<Act>)> {
        let logout = [self.words.logout.as_bytes(), self.words.newline.as_bytes()].concat();
        let left = prop_oneof![
            2 => Just(Act::Send(logout)),
            2 => Just(Act::Send(vec![END])),
            2 => Just(Act::Shut),
            1 => Just(Act::Send(vec![INTERRUPT, END])),
        ];
        (noise(), left)
            .prop_map(|(half, left)| {
                let clears = match left {
                    Act::Shut => half,
                    _ => [half, vec![INTERRUPT]].concat(),
                };
                (
                    "a session that is left",
                    vec![Act::Send(clears), left, Act::Login],
                )
            })
            .boxed()
    }

    /// What somebody does who is not logged in.
    fn before_login(&self) -> BoxedStrategy<(&'static str, Vec<Act>)> {
        let newline = self.words.newline.clone().into_bytes();
        let line = move |text: Vec<u8>| Act::Send([text, newline.clone()].concat());
        let name = prop_oneof![3 => noise(), 3 => long(), 2 => vec(prop_oneof![noise(), encoded()], 1..=3).prop_map(|text| text.concat())];
        let given_up = select(vec![
            vec![INTERRUPT],
            vec![END],
            vec![0x1C],
            vec![INTERRUPT, INTERRUPT],
            b"zz\x03".to_vec(),
        ]);
        let planted =
            prop_oneof![6 => Just(PLANTED.as_bytes().to_vec()), 1 => long(), 1 => encoded()];
        let dialogue = vec((name.clone(), given_up), 1..=3);
        let abandoned = (dialogue, any::<bool>(), any::<bool>()).prop_map({
            let line = line.clone();
            move |(dialogue, drop, again)| {
                let steps = dialogue.into_iter();
                let mut acts: Vec<_> = steps
                    .flat_map(|(name, given_up)| [line(name), Act::Send(given_up)])
                    .collect();
                acts.extend(drop.then_some(Act::Shut));
                acts.extend(again.then_some(Act::Login));
                ("logins that are given up", acts)
            }
        });
        let half = (name.clone(), any::<bool>()).prop_map(|(name, login)| {
            let mut acts = vec![Act::Send(name), Act::Shut];
            acts.extend(login.then_some(Act::Login));
            ("half a name, and the line drops", acts)
        });
        // Whether anything of it shows in the session that follows.
        let before: Vec<&'static [u8]> = vec![
            b"\x1b[A",
            b"\x1bOA",
            b"\x10",
            b"\x1b[A\x1b[A",
            b"\x12zz",
            b"\x19",
        ];
        let follows = prop_oneof![4 => select(before).prop_map(<[u8]>::to_vec), 1 => edit()];
        let follows = prop_oneof![1 => Just(None), 2 => follows.prop_map(Some)];
        let refused = (name, planted, follows).prop_map({
            let line = line.clone();
            move |(name, password, follows)| {
                let mut acts = vec![line(name), line(password)];
                if let Some(keys) = follows {
                    acts.extend([Act::Login, Act::Send(keys), Act::Send(vec![INTERRUPT])]);
                }
                ("a login that is refused", acts)
            }
        });
        let forged = (noise(), subsequence(ENDS.to_vec(), 1..=ENDS.len())).prop_map({
            let line = line.clone();
            move |(name, ends)| {
                let mut text = name;
                for end in ends {
                    text.extend_from_slice(end);
                    text.extend_from_slice(FORGED.as_bytes());
                }
                (
                    "a line end in the name",
                    vec![line(text), line(b"zzzz".to_vec())],
                )
            }
        });
        let mut kinds = vec![
            (4, abandoned.boxed()),
            (1, half.boxed()),
            (4, refused.boxed()),
        ];
        if self.log {
            kinds.push((4, forged.boxed()));
        }
        if !self.words.writes.is_empty() {
            let command = (
                select(self.words.writes.clone()),
                any::<Index>(),
                noise(),
                0..=3u8,
            );
            let command = command.prop_map(move |(write, at, name, place)| {
                let span = usize::from(write.values.to - write.values.from) + 1;
                let value = write.values.from + at.index(span) as u16;
                let command = line(write.line(value).into_bytes());
                let acts = match place {
                    0 => vec![command],
                    1 | 2 => vec![line(name), command],
                    _ => vec![line(name), Act::Send(vec![INTERRUPT]), command],
                };
                ("a command before login", acts)
            });
            kinds.push((2, command.boxed()));
        }
        proptest::strategy::Union::new_weighted(kinds).boxed()
    }
}

/// What some device or other takes for the end of a line.
const ENDS: [&[u8]; 12] = [
    b"\x0b",
    b"\x0c",
    b"\x1e",
    b"\x85",
    b"\xC2\x85",
    b"\xE2\x80\xA8",
    b"\xE2\x80\xA9",
    b"\xC4\x8A",
    b"\xE5\x98\x8A",
    b"%0a",
    b"%0d%0a",
    b"\x16\x0b",
];
