//! A bag is whole, or it is said what is not.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::example::record;

fn sealed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data/evidence");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("CR-1.11.lockout@console.txt"), "one").unwrap();
    fs::write(data.join("100% sure\nnot.txt"), "").unwrap();
    record()
        .write(&folder.path().join("data/result.json"))
        .unwrap();
    seal(folder.path(), &record()).unwrap();
    folder
}

fn faults(folder: &Path) -> Vec<String> {
    let faults = check(folder).unwrap().unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bag_that_nobody_touched_is_whole() {
    let folder = sealed();
    let contents = check(folder.path()).unwrap().unwrap();
    assert_eq!(contents.files, 3);
    let info = fs::read_to_string(folder.path().join("bag-info.txt")).unwrap();
    assert!(
        info.contains(&format!("Payload-Oxum: {}.3\n", contents.bytes)),
        "{info}"
    );
    assert!(info.contains("Bagging-Date: 2026-01-02\n"), "{info}");
    // Sealed anew, it is what it was.
    let before = fs::read(folder.path().join(TAG_MANIFEST)).unwrap();
    seal(folder.path(), &record()).unwrap();
    assert_eq!(fs::read(folder.path().join(TAG_MANIFEST)).unwrap(), before);
}

#[test]
fn what_was_changed_taken_out_or_put_in_is_named() {
    let folder = sealed();
    let path = |name: &str| folder.path().join(name);
    let lockout = "data/evidence/CR-1.11.lockout@console.txt";
    fs::write(path(lockout), "two").unwrap();
    fs::write(path("data/notes.txt"), "").unwrap();
    fs::write(path("notes.txt"), "").unwrap();
    fs::remove_file(path("data/result.json")).unwrap();
    fs::write(path("bag-info.txt"), "").unwrap();
    let expected = [
        "changed  bag-info.txt",
        &format!("changed  {lockout}"),
        "added    data/notes.txt",
        "missing  data/result.json",
        "added    notes.txt",
    ];
    assert_eq!(faults(folder.path()), expected);
}

#[test]
fn a_list_that_lists_less_is_not_believed() {
    let folder = sealed();
    let tags = folder.path().join(TAG_MANIFEST);
    let text = fs::read_to_string(&tags).unwrap();
    let shorter: String = text
        .split_inclusive('\n')
        .filter(|line| !line.contains("bag-info"))
        .collect();
    fs::write(&tags, shorter).unwrap();
    fs::remove_file(folder.path().join("bag-info.txt")).unwrap();
    let expected = ["missing  bag-info.txt", "changed  tagmanifest-sha256.txt"];
    assert_eq!(faults(folder.path()), expected);
    fs::write(&tags, "").unwrap();
    assert!(check(folder.path()).unwrap().is_err());
}

#[cfg(unix)]
#[test]
fn a_link_is_not_the_file_that_it_leads_to() {
    let folder = sealed();
    let evidence = folder
        .path()
        .join("data/evidence/CR-1.11.lockout@console.txt");
    let elsewhere = folder.path().with_extension("elsewhere");
    fs::rename(&evidence, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &evidence).unwrap();
    assert_eq!(
        faults(folder.path()),
        ["changed  data/evidence/CR-1.11.lockout@console.txt"]
    );
    fs::remove_file(elsewhere).unwrap();
}

#[test]
fn what_was_not_sealed_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(check(folder.path()), Err(BagError::NotSealed(_))));
}

#[test]
fn text_of_a_device_stays_in_its_line_of_the_information() {
    let folder = sealed();
    let mut record = record();
    record.dut.firmware = "1\nPayload-Oxum: 0.0\n\x1b[2J".to_owned();
    seal(folder.path(), &record).unwrap();
    let info = fs::read_to_string(folder.path().join("bag-info.txt")).unwrap();
    assert_eq!(info.lines().count(), 5, "{info}");
    assert!(!info.contains('\x1b'));
}
