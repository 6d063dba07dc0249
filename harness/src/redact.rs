//! `slcert redact`: a copy of a campaign's folder for others. The original is read, and never written.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use slcert_reports::bag::{self, DATA, TAG_MANIFEST};
use slcert_reports::redact::{Kind, Redactor};
use slcert_reports::sha256::hex;
use slcert_reports::{Journal, Record, Wanted, assess, journal, views};

use crate::campaign::secretly;
use crate::command::{Redact, What};
use crate::report;
use crate::sources::{BENCH, USAGE, lies_in};
use crate::verify::{self, tampered};

/// The files of a campaign that are made from its record, beside the views.
const RECORDS: [&str; 2] = ["result.json", "journal.jsonl"];

/// Makes the copy.
pub fn redact(redact: &Redact) -> ExitCode {
    match copy(redact) {
        Ok(words) => {
            println!("{}: {words}", redact.out.display());
            println!(
                "the key to its hashes stays with you: {}.key",
                redact.out.display()
            );
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

fn copy(redact: &Redact) -> Result<String, ExitCode> {
    let original = redact.campaign.as_path();
    let record = sound(original)?;
    let data = original.join(DATA);
    let what: BTreeSet<Kind> = redact.what.iter().map(|what| kind(*what)).collect();
    let text = std::fs::read(data.join("journal.jsonl")).map_err(unreadable)?;
    let key = key().map_err(failed)?;
    let mut redactor = Redactor::new(what, &redact.text, &record, key).map_err(usage)?;
    // Reports that were asked for later are made again as well.
    let wanted = record.wanted.and(&Wanted::found(&data));
    let shown = |record: &Record| Record {
        wanted: wanted.clone(),
        ..record.clone()
    };
    let was = shown(&record);
    let made = views(&was, &assess(&was)).map_err(failed)?;
    let is_made = |path: &str| RECORDS.contains(&path) || made.iter().any(|view| view.name == path);
    let mut files = Vec::new();
    list(&data, &data, &mut files).map_err(unreadable)?;
    files.retain(|path| !is_made(path));
    redactor.look(&String::from_utf8_lossy(&text));
    for path in &files {
        let bytes = std::fs::read(data.join(path)).map_err(unreadable)?;
        redactor.look(&String::from_utf8_lossy(&bytes));
    }
    if lies_in(&redact.out, original).map_err(unreadable)? {
        return Err(usage(format!(
            "{} lies in the campaign's folder, which stays as it is: name one elsewhere",
            redact.out.display()
        )));
    }
    let out = Out::create(&redact.out)?;
    for path in &files {
        let bytes = std::fs::read(data.join(path)).map_err(unreadable)?;
        if let Some((path, bytes)) = redactor.file(path, bytes) {
            out.write(&path, &bytes)?;
        }
    }
    let (entries, _torn) = Journal::read(&data.join("journal.jsonl")).map_err(usage)?;
    let sealed = bag::sha256(&original.join(TAG_MANIFEST)).map_err(usage)?;
    let entries = redactor.journal(&entries, &sealed).map_err(usage)?;
    out.write("journal.jsonl", &journal::text(&entries).map_err(failed)?)?;
    let record = Record::from_journal(&entries).map_err(usage)?;
    record.check().map_err(usage)?;
    let data = out.partial.join(DATA);
    record.write(&data.join("result.json")).map_err(failed)?;
    let now = shown(&record);
    report::write(&now, &assess(&now), &data).map_err(failed)?;
    bag::seal(&out.partial, &record).map_err(failed)?;
    out.look_through(&redactor)?;
    out.finish(key)?;
    Ok(record.redaction.map(|cut| cut.words()).unwrap_or_default())
}

/// What the hashes of a copy are keyed with.
fn key() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    Ok(key)
}

/// The record of a campaign that is what it was when it was sealed.
fn sound(original: &Path) -> Result<Record, ExitCode> {
    if let Err(faults) = bag::check(original).map_err(usage)? {
        return Err(tampered(original, &faults, ""));
    }
    let data = original.join(DATA);
    let record = Record::read(&data.join("result.json")).map_err(usage)?;
    verify::journal(&data, &record).map_err(|why| tampered(original, &[why], ""))?;
    Ok(record)
}

fn kind(what: What) -> Kind {
    match what {
        What::Keys => Kind::Keys,
        What::Addresses => Kind::Addresses,
        What::Serials => Kind::Serials,
        What::People => Kind::People,
        What::Evidence => Kind::Evidence,
    }
}

/// Every file in a folder, by its path from `root`. A link could lead anywhere.
fn list(root: &Path, folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            list(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            files.push(name.to_owned());
        }
    }
    files.sort();
    Ok(())
}

/// The copy. It has its name when it is whole, and is gone otherwise.
struct Out {
    partial: PathBuf,
    path: PathBuf,
    /// Where its key is kept, beside it.
    key: PathBuf,
    _folder: tempfile::TempDir,
}

impl Out {
    fn create(path: &Path) -> Result<Self, ExitCode> {
        if std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(usage(format!("{} is not empty", path.display())));
        }
        let mut key = path.as_os_str().to_owned();
        key.push(".key");
        let key = PathBuf::from(key);
        if key.exists() {
            return Err(usage(format!(
                "{} is another copy's key: name another folder",
                key.display()
            )));
        }
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(failed)?;
        let folder = tempfile::Builder::new()
            .prefix(".slcert-")
            .tempdir_in(parent);
        let folder = folder.map_err(failed)?;
        let partial = folder.path().join("copy");
        std::fs::create_dir_all(partial.join(DATA)).map_err(failed)?;
        Ok(Self {
            partial,
            path: path.to_owned(),
            key,
            _folder: folder,
        })
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), ExitCode> {
        let path = self.partial.join(DATA).join(path);
        let folder = path.parent().unwrap_or(&self.partial);
        std::fs::create_dir_all(folder).map_err(failed)?;
        std::fs::write(&path, bytes).map_err(failed)
    }

    /// Looks for what was cut in every file of the copy.
    fn look_through(&self, redactor: &Redactor) -> Result<(), ExitCode> {
        let mut files = Vec::new();
        list(&self.partial, &self.partial, &mut files).map_err(failed)?;
        for file in files {
            let bytes = std::fs::read(self.partial.join(&file)).map_err(failed)?;
            let name = redactor.holds(file.as_bytes());
            if let Some(mark) = name.or_else(|| redactor.holds(&bytes)) {
                return Err(failed(format!(
                    "{mark} is still in {}: no copy was made; cut it by a longer text, or --what evidence",
                    redactor.cut(&file)
                )));
            }
        }
        Ok(())
    }

    fn finish(self, key: [u8; 32]) -> Result<(), ExitCode> {
        // The key first: without it, nobody could ever show what was cut.
        let mut file = secretly(&self.key).map_err(|error| unkept(&self.key, error))?;
        writeln!(file, "{}", hex(&key)).map_err(|error| unkept(&self.key, error))?;
        // An empty folder gives way to one that is renamed.
        std::fs::rename(&self.partial, &self.path).map_err(failed)
    }
}

fn usage(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(USAGE)
}

fn unkept(key: &Path, error: io::Error) -> ExitCode {
    failed(format!("{}: {error}", key.display()))
}

fn unreadable(error: io::Error) -> ExitCode {
    usage(error)
}

fn failed(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(BENCH)
}
