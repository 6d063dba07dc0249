//! One entry of the audit log, and how a value from outside is kept from forging another.

use std::fmt::{self, Write as _};

/// Characters of a value from outside that an entry keeps.
const LONGEST_VALUE: usize = 160;

/// The interface an event came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Source {
    Device,
    Console,
    ModbusTcp,
    ModbusRtu,
    ModbusTls,
    Mqtt,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Console => "console",
            Self::ModbusTcp => "modbus-tcp",
            Self::ModbusRtu => "modbus-rtu",
            Self::ModbusTls => "modbus-tls",
            Self::Mqtt => "mqtt",
        })
    }
}

/// The six categories of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    Access,
    RequestError,
    System,
    Backup,
    Configuration,
    Audit,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Access => "access",
            Self::RequestError => "request_error",
            Self::System => "system",
            Self::Backup => "backup",
            Self::Configuration => "configuration",
            Self::Audit => "audit",
        })
    }
}

/// One event, before it has a time and a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    pub source: Source,
    pub category: Category,
    pub kind: &'a str,
    /// The user, or the subject of the certificate; empty when nobody is known.
    pub user: &'a str,
    pub success: bool,
    pub detail: &'a str,
}

/// One event as the log writes it, without the line end.
pub(super) fn format_line(
    time: jiff::Timestamp,
    id: u64,
    event: &Event<'_>,
    with_result: bool,
) -> String {
    let time = time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let mut line = format!(
        "{time} id={id} source={} category={} type={} user={}",
        event.source,
        event.category,
        event.kind,
        user(event.user),
    );
    if with_result {
        line.push_str(if event.success {
            " result=success"
        } else {
            " result=failure"
        });
    }
    let _ = write!(line, " detail=\"{}\"", escape(event.detail));
    line
}

/// An entry as one JSON object, with its fields as text.
pub(crate) fn json(line: &str) -> serde_json::Map<String, serde_json::Value> {
    let (fields, detail) = line.split_once(" detail=").unwrap_or((line, ""));
    let mut entry = serde_json::Map::new();
    for (at, field) in fields.splitn(6, ' ').enumerate() {
        let (name, value) = match field.split_once('=') {
            Some(field) if at > 0 => field,
            _ => ("time", field),
        };
        // A user that is no plain name stands in quotes, and may hold blanks.
        let (value, result) = match value.rsplit_once(" result=") {
            Some((value, result)) => (value, Some(result)),
            None => (value, None),
        };
        entry.insert(name.to_owned(), value.trim_matches('"').into());
        if let Some(result) = result {
            entry.insert("result".to_owned(), result.into());
        }
    }
    entry.insert("detail".to_owned(), detail.trim_matches('"').into());
    entry
}

/// The number of an entry.
pub(super) fn id(line: &str) -> Option<u64> {
    line.split(' ').nth(1)?.strip_prefix("id=")?.parse().ok()
}

fn user(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if name.is_empty() {
        "-".into()
    } else if name.len() <= 64 && name.bytes().all(plain) {
        name.into()
    } else {
        format!("\"{}\"", escape(name))
    }
}

/// Makes a value from outside printable ASCII without line ends or quotes.
pub(crate) fn escape(value: &str) -> String {
    let mut escaped = String::new();
    for (index, char) in value.chars().enumerate() {
        if index == LONGEST_VALUE {
            escaped.push_str("...");
            break;
        }
        match char {
            '"' | '\\' => {
                escaped.push('\\');
                escaped.push(char);
            }
            ' '..='~' => escaped.push(char),
            _ => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(char));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(detail: &str) -> Event<'_> {
        Event {
            source: Source::Console,
            category: Category::Access,
            kind: "login",
            user: "vera",
            success: true,
            detail,
        }
    }

    #[test]
    fn a_line_has_its_fields_in_order() {
        let line = format_line(
            jiff::Timestamp::now(),
            17,
            &event("a \"quoted\"\nline"),
            true,
        );
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!((time.len(), time.as_bytes()[23]), (24, b'Z'), "{time}");
        assert_eq!(
            rest,
            r#"id=17 source=console category=access type=login user=vera result=success detail="a \"quoted\"\u{a}line""#
        );
    }

    #[test]
    fn a_strange_user_name_cannot_forge_fields() {
        let line = format_line(
            jiff::Timestamp::now(),
            1,
            &Event {
                user: "x result=success\r\n",
                ..event("")
            },
            true,
        );
        assert!(
            line.contains(r#"user="x result=success\u{d}\u{a}""#),
            "{line}"
        );
    }

    #[test]
    fn an_entry_as_json_has_the_same_fields() {
        let line = format_line(
            jiff::Timestamp::UNIX_EPOCH,
            5,
            &Event {
                user: "x y=1",
                ..event("a \"b\"")
            },
            true,
        );
        let entry = json(&line);
        assert_eq!(entry["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(entry["id"], "5");
        assert_eq!(entry["user"], "x y=1");
        assert_eq!(entry["result"], "success");
        assert_eq!(entry["type"], "login");
    }
}
