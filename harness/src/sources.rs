//! Finding the files that a command names.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use slcert_profiles::Profile;
use slcert_profiles::file::{Diagnostics, Source, choose};
use slcert_reports::attestation::Attestations;
use slcert_reports::lab::LabRecord;
use slcert_reports::record::AttestationRecord;
use slcert_reports::sha256;
use slcert_rigs::rig::{Rig, SIMULATED, Template};

use crate::command::On;

/// The exit code of wrong usage and bad files.
pub const USAGE: u8 = 2;
/// The exit code of a bench that failed.
pub const BENCH: u8 = 6;

/// The exit code of a verification that failed.
pub const NOT_VERIFIED: u8 = 7;

/// The name that stands for the built-in rig file.
pub const SIMULATED_NAME: &str = "simulated.toml";

/// A rig file that has been read.
pub struct RigFile {
    /// The rig.
    pub rig: Rig,
    /// The file's name.
    pub name: String,
    /// The folder that it is in.
    pub folder: PathBuf,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
}

/// A file cannot be used; it has been told why.
#[derive(Debug)]
pub struct Unusable;

impl From<Unusable> for ExitCode {
    fn from(_: Unusable) -> Self {
        ExitCode::from(USAGE)
    }
}

/// Tells what is wrong with a file.
pub fn tell(faults: &Diagnostics) {
    anstream::eprintln!("{}", faults.render(std::io::stderr().is_terminal()));
}

/// Reads the profile that was named.
///
/// # Errors
/// There is no such profile, or it is not usable.
pub fn profile(on: &On) -> Result<Profile, Unusable> {
    if let Some(built_in) = Profile::built_in(&on.profile) {
        return Ok(built_in.clone());
    }
    let path = Path::new(&on.profile);
    if !path.exists() && !on.profile.contains(['/', '.']) {
        let names: Vec<_> = Profile::names().collect();
        eprintln!(
            "error: there is no profile `{}`: {}",
            on.profile,
            choose(&on.profile, &names)
        );
        eprintln!(
            "       `slcert list --profiles` lists the built-in ones; a file is named by its path"
        );
        return Err(Unusable);
    }
    let loaded = Source::open(path).and_then(|source| Profile::load(&source));
    let profile = loaded.map_err(|faults| {
        tell(&faults);
        Unusable
    })?;
    if !profile.warnings().is_empty() {
        tell(profile.warnings());
    }
    Ok(profile)
}

/// Reads the rig file that was named. The simulated device, where none was, is of a type that the profile is for.
///
/// # Errors
/// It is not usable.
pub fn rig(path: Option<&Path>, profile: Option<&Profile>) -> Result<RigFile, Unusable> {
    let source = match path {
        Some(path) => Source::open(path),
        None => Ok(Source::new(SIMULATED_NAME, SIMULATED)),
    };
    let read = source.and_then(|source| Ok((Rig::load(&source)?, source)));
    let (mut rig, source) = read.map_err(|faults| {
        tell(&faults);
        Unusable
    })?;
    if let (None, Some(profile)) = (path, profile) {
        be_component(&mut rig, profile);
    }
    let folder = path
        .and_then(Path::parent)
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    Ok(RigFile {
        rig,
        name: source.name.clone(),
        folder: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
        sha256: sha256::of_bytes(source.text.as_bytes()),
    })
}

/// Gives the simulated device defects.
///
/// # Errors
/// There is none of this name.
pub fn add_flaws(names: &[String], rig: &mut RigFile) -> Result<(), String> {
    for name in names {
        if !slcert_sim::flaws().iter().any(|flaw| flaw.name == name) {
            let names: Vec<_> = slcert_sim::flaws().iter().map(|flaw| flaw.name).collect();
            return Err(format!(
                "there is no flaw `{name}`: {}",
                slcert_profiles::file::choose(name, &names)
            ));
        }
        for start in rig.rig.starts() {
            start.command.push(Template::new("--flaw"));
            start.command.push(Template::new(name));
        }
    }
    Ok(())
}

/// Makes the simulated device one of the profile's components, where it is none yet.
fn be_component(rig: &mut Rig, profile: &Profile) {
    let components = profile.components();
    let Some(component) = components.iter().next().copied() else {
        return;
    };
    if components.contains(&rig.dut.component) {
        return;
    }
    rig.dut.component = component;
    for start in rig.starts() {
        start.command.push(Template::new("--component"));
        start.command.push(Template::new(component.word()));
    }
}

/// Reads what was reviewed, where a file of it was named.
///
/// # Errors
/// The file is not usable, or a document is not the one that was reviewed.
pub fn attestations(path: Option<&Path>) -> Result<Vec<AttestationRecord>, Unusable> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    Source::open(path)
        .and_then(|source| Attestations::load(&source, folder))
        .map_err(|faults| {
            tell(&faults);
            Unusable
        })
}

/// Reads the lab record, where a file of it was named.
///
/// # Errors
/// The file is not usable.
pub fn lab(path: Option<&Path>) -> Result<Option<LabRecord>, Unusable> {
    let Some(path) = path else {
        return Ok(None);
    };
    let today = jiff::tz::TimeZone::system()
        .to_datetime(jiff::Timestamp::now())
        .date();
    let loaded = Source::open(path).and_then(|source| LabRecord::load(&source, today));
    let (record, warnings) = loaded.map_err(|faults| {
        tell(&faults);
        Unusable
    })?;
    if !warnings.is_empty() {
        tell(&warnings);
    }
    Ok(Some(record))
}

/// Whether a path lies in a folder, also where nothing is there yet.
///
/// # Errors
/// The folder, or what there is of the path, cannot be found.
pub fn lies_in(path: &Path, folder: &Path) -> std::io::Result<bool> {
    let path = std::path::absolute(path)?;
    let mut above = path.ancestors();
    let there = above.find(|one| one.exists()).unwrap_or(Path::new("/"));
    Ok(there.canonicalize()?.starts_with(folder.canonicalize()?))
}
