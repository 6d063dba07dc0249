//! Guided inspections: after the trials, a person is asked for what none of them can show.
//!
//! The questions come to standard error, a line at a time, so that they work on a serial console as well.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use sha2::{Digest, Sha256};
use slcert_profiles::RequirementId;
use slcert_reports::record::{AttestationRecord, FileRecord, Found, TrialRecord};
use slcert_reports::{Verdict, escape, excerpt};

use slcert_reports::sha256::hex;

/// The longest line that is taken from a person, in bytes.
const LONGEST_LINE: u64 = 4096;
/// The longest file that is kept, in bytes.
const LONGEST_FILE: u64 = 100 * 1024 * 1024;
/// How many files one question takes.
const MOST_FILES: usize = 20;
/// The longest name of a file that is kept.
const LONGEST_NAME: usize = 60;
/// How often a person who types is looked after for an interrupt.
const LOOK: Duration = Duration::from_millis(100);

/// Whether there is a person to ask.
pub fn has_person() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Standard input by lines; it ends where input ends, or when `ended` says so.
pub fn typed(ended: impl Fn() -> bool) -> impl FnMut() -> Option<String> {
    let (sender, lines): (_, Receiver<String>) = sync_channel(0);
    // A read cannot be called off: the thread ends with the program.
    std::thread::spawn(move || {
        let mut input = BufReader::new(io::stdin());
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut input).take(LONGEST_LINE).read_until(b'\n', &mut line);
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if !matches!(read, Ok(1..)) || sender.send(text).is_err() {
                return;
            }
        }
    });
    move || loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => return Some(line),
            Err(RecvTimeoutError::Timeout) if !ended() => {}
            Err(_) => return None,
        }
    }
}

/// What a person is asked with.
pub struct Guide<'a> {
    /// The next line that they type; none at the end.
    pub line: &'a mut dyn FnMut() -> Option<String>,
    /// Where the questions go.
    pub out: &'a mut dyn Write,
    /// The campaign's folder.
    pub folder: &'a Path,
    /// Who answers, as far as it is known.
    pub operator: Option<String>,
}

/// What one question came to.
pub enum Answer {
    /// Found for these requirements; nothing where all were put off.
    Found(Vec<AttestationRecord>),
    /// There is nobody any more.
    Ended,
}

impl Guide<'_> {
    /// Asks for one trial, for those of its requirements that nobody has attested. `place` is its place among all.
    pub fn ask(&mut self, trial: &TrialRecord, open: &[RequirementId], place: &str) -> Answer {
        self.answers(trial, open, place)
            .map_or(Answer::Ended, Answer::Found)
    }

    fn answers(
        &mut self,
        trial: &TrialRecord,
        open: &[RequirementId],
        place: &str,
    ) -> Option<Vec<AttestationRecord>> {
        let ids: Vec<_> = open.iter().map(ToString::to_string).collect();
        self.say(&format!("\n{place}  {}", escape(&trial.title)));
        self.say(&format!("requirements  {}", ids.join(", ")));
        self.say(&format!("do            {}", escape(&trial.objective)));
        self.say(&format!("passes when   {}", escape(&trial.criterion)));
        if !trial.reason.ends_with(&trial.title) {
            self.say(&format!("asked because {}", escape(&trial.reason)));
        }
        let mut outcomes = Vec::new();
        for id in open {
            if let Some(outcome) = self.outcome(*id)? {
                outcomes.push((*id, outcome));
            }
        }
        if outcomes.is_empty() {
            self.say("left for later: it stays REVIEW");
            return Some(Vec::new());
        }
        let reviewer = self.name()?;
        let all_pass = outcomes.iter().all(|(_, one)| *one == Verdict::Pass);
        let remark = self.remark(all_pass)?;
        let files = self.files(trial)?;
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let found = outcomes
            .into_iter()
            .map(|(requirement, outcome)| AttestationRecord {
                requirement,
                found: Found::Inspection {
                    trial: trial.id.clone(),
                },
                outcome,
                files: files.clone(),
                reviewer: reviewer.clone(),
                date: date.clone(),
                remark: remark.clone(),
            });
        Some(found.collect())
    }

    /// What was found for one requirement; none where it is left for later.
    fn outcome(&mut self, id: RequirementId) -> Option<Option<Verdict>> {
        loop {
            let line = self.prompt(&format!("{id}: pass, fail, na, later, ? for help"))?;
            match line.to_lowercase().as_str() {
                "p" | "pass" => return Some(Some(Verdict::Pass)),
                "f" | "fail" => return Some(Some(Verdict::Fail)),
                "na" | "n/a" | "not applicable" => return Some(Some(Verdict::NotApplicable)),
                "l" | "later" => return Some(None),
                "?" | "h" | "help" => self.say(HELP),
                _ => self.say("write pass, fail, na or later; nothing is taken for granted"),
            }
        }
    }

    fn name(&mut self) -> Option<String> {
        loop {
            let default = self.operator.clone();
            let asked = match &default {
                Some(name) => format!("your name [{}]", escape(name)),
                None => "your name".to_owned(),
            };
            let line = Some(self.prompt(&asked)?).filter(|line| !line.is_empty());
            match line.or(default) {
                Some(name) => {
                    let name = excerpt(&name, 100);
                    self.operator = Some(name.clone());
                    return Some(name);
                }
                None => self.say("an answer needs the name of whoever gives it"),
            }
        }
    }

    /// What a reader should know; whatever is no PASS needs its reason.
    fn remark(&mut self, may_be_empty: bool) -> Option<Option<String>> {
        let asked = if may_be_empty {
            "remark (empty for none)"
        } else {
            "what you saw, or why it does not apply"
        };
        loop {
            let line = self.prompt(asked)?;
            if !line.is_empty() {
                return Some(Some(excerpt(&line, 500)));
            }
            if may_be_empty {
                return Some(None);
            }
            self.say("fail and na need a reason");
        }
    }

    fn files(&mut self, trial: &TrialRecord) -> Option<Vec<FileRecord>> {
        let mut files = Vec::new();
        while files.len() < MOST_FILES {
            let line = self.prompt("photo or document: its path (empty for no more)")?;
            let path = line.trim_matches(['\'', '"']);
            if path.is_empty() {
                break;
            }
            match keep(Path::new(path), self.folder, trial, files.len() + 1) {
                Ok(file) => {
                    self.say(&format!("kept as {}, SHA-256 {}", file.path, file.sha256));
                    files.push(file);
                }
                Err(error) => self.say(&format!("{}: {error}; try another path", escape(path))),
            }
        }
        Some(files)
    }

    fn prompt(&mut self, asked: &str) -> Option<String> {
        let _ = write!(self.out, "{asked}: ");
        let _ = self.out.flush();
        (self.line)()
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }
}

const HELP: &str = "  pass   you looked, and it is as `passes when` says
  fail   you looked, and it is not: the requirement fails
  na     the device has nothing that this asks about; say why
  later  leave it REVIEW, and go on with the next question
  Ctrl-C ends the questions; what was answered is kept";

/// Copies a file into the campaign's folder.
fn keep(from: &Path, folder: &Path, trial: &TrialRecord, number: usize) -> io::Result<FileRecord> {
    // Looked at before it is opened: a pipe would wait for a writer.
    if !std::fs::metadata(from)?.is_file() {
        return Err(io::Error::other("this is no file"));
    }
    let name = from.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => c,
        _ => '_',
    };
    let length = name.chars().count();
    // The end of a name tells what it is.
    let name: String = name
        .chars()
        .skip(length.saturating_sub(LONGEST_NAME))
        .map(plain)
        .collect();
    let path = format!("evidence/{}.{number}.{name}", trial.id.replace('/', "."));
    let kept = folder.join(&path);
    match copy(from, &kept) {
        Ok(sha256) => Ok(FileRecord { path, sha256 }),
        Err(error) => {
            let _ = std::fs::remove_file(&kept);
            Err(error)
        }
    }
}

/// Copies a file onto the disk; its SHA-256 in hex.
fn copy(from: &Path, to: &Path) -> io::Result<String> {
    let mut input = std::fs::File::open(from)?.take(LONGEST_FILE + 1);
    let mut output = std::fs::File::create(to)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut length = 0;
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        length += read as u64;
        if length > LONGEST_FILE {
            return Err(io::Error::other("this is longer than 100 MiB"));
        }
        hasher.update(&buffer[..read]);
        output.write_all(&buffer[..read])?;
    }
    output.sync_all()?;
    Ok(hex(&hasher.finalize()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by a panic")]
mod tests {
    use super::*;

    fn trial() -> TrialRecord {
        TrialRecord {
            id: "EDR-3.11/tamper-protection".to_owned(),
            case: "tamper-protection".to_owned(),
            title: "tampering shows".to_owned(),
            requirements: vec!["EDR 3.11".parse().unwrap()],
            interface: None,
            verdict: Verdict::Review,
            reason: "for a person: tampering shows".to_owned(),
            checks: Vec::new(),
            started: jiff::Timestamp::UNIX_EPOCH,
            duration_ms: 0,
            waited_ms: 0,
            svv: "SVV-1".to_owned(),
            objective: "Inspect the seals.".to_owned(),
            criterion: "Opening leaves a trace.".to_owned(),
            timeline: None,
            evidence: Vec::new(),
        }
    }

    /// What comes of these lines, and what the person was shown.
    fn asked(folder: &Path, lines: &[&str]) -> (Option<Vec<AttestationRecord>>, String) {
        let mut lines = lines.iter().map(|line| (*line).to_owned());
        let mut out = Vec::new();
        let trial = trial();
        let answers = Guide {
            line: &mut || lines.next(),
            out: &mut out,
            folder,
            operator: None,
        }
        .answers(&trial, &trial.requirements, "1 of 1");
        assert_eq!(lines.next(), None, "every line was taken");
        (answers, String::from_utf8(out).unwrap())
    }

    #[test]
    fn an_answer_keeps_who_saw_it_and_the_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("evidence")).unwrap();
        let photo = folder.path().join("my seal\u{1b}.jpg");
        std::fs::write(&photo, "test").unwrap();
        let quoted = format!("'{}'", photo.display());
        let lines = [
            "?",
            "",
            "yes",
            "PASS",
            "",
            "A. Tester",
            "",
            "/nowhere",
            "/",
            &quoted,
            "",
        ];
        let (answers, shown) = asked(folder.path(), &lines);
        let one = &answers.unwrap()[0];
        assert_eq!(
            (one.outcome, one.reviewer.as_str()),
            (Verdict::Pass, "A. Tester")
        );
        assert_eq!(one.remark, None);
        assert_eq!(
            one.files[0].path,
            "evidence/EDR-3.11.tamper-protection.1.my_seal_.jpg"
        );
        // `printf test | sha256sum`
        assert!(one.files[0].sha256.starts_with("9f86d081884c7d65"));
        assert_eq!(
            std::fs::read(folder.path().join(&one.files[0].path)).unwrap(),
            b"test"
        );
        assert_eq!(shown.matches("try another path").count(), 2, "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }

    #[test]
    fn what_is_no_pass_needs_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        for (word, outcome) in [("fail", Verdict::Fail), ("na", Verdict::NotApplicable)] {
            let lines = [word, "A. Tester", "", "no seal", ""];
            let (answers, shown) = asked(folder.path(), &lines);
            let one = &answers.unwrap()[0];
            assert_eq!(
                (one.outcome, one.remark.as_deref()),
                (outcome, Some("no seal"))
            );
            assert!(shown.contains("need a reason"), "{shown}");
        }
    }

    #[test]
    fn later_leaves_it_open_and_the_end_of_input_answers_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(asked(folder.path(), &["later"]).0, Some(Vec::new()));
        assert_eq!(asked(folder.path(), &[]).0, None);
        assert_eq!(asked(folder.path(), &["pass", "A. Tester"]).0, None);
    }
}
