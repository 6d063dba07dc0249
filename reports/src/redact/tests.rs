use super::*;
use crate::example;

fn redactor(what: &[Kind], texts: &[&str]) -> Redactor {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let what = what.iter().copied().collect();
    Redactor::new(what, &texts, &example::record(), [1; 32]).unwrap()
}

#[test]
fn a_value_has_one_mark_wherever_it_stands() {
    let mut redactor = redactor(&[Kind::Addresses, Kind::Serials], &["Acme & Sons"]);
    redactor.look("10.0.0.1 and 10.0.0.12, serial=TC-77");
    let cut = redactor.cut("10.0.0.12:502 10.0.0.1 10.0.0.1 tc-77 acme & sons 0042");
    assert_eq!(
        cut,
        "(cut address 2):502 (cut address 1) (cut address 1) (cut serial 2) (cut text 1) (cut serial 1)"
    );
    assert_eq!(redactor.holds(cut.as_bytes()), None);
}

#[test]
fn neither_a_hash_nor_a_longer_number_is_broken() {
    let redactor = redactor(&[Kind::Serials], &[]);
    let hash = format!("ab0042{}", "c".repeat(58));
    for text in [hash.as_str(), "2026-10042", "00420"] {
        assert_eq!(redactor.cut(text), text);
        assert_eq!(redactor.holds(text.as_bytes()), None);
    }
    assert_eq!(redactor.cut("SN0042X"), "SN(cut serial 1)X");
}

#[test]
fn what_stands_in_hex_is_found_too() {
    let redactor = redactor(&[], &["Rhine"]);
    for text in ["52 68 69 6e 65", "5268696E65", "52:68:69:6e:65", "RHINE"] {
        assert_eq!(
            redactor.holds(text.as_bytes()),
            Some("(cut text 1)"),
            "{text}"
        );
    }
}

#[test]
fn a_file_is_cut_or_left_out() {
    let mut redactor = redactor(&[], &["Rhine"]);
    let (path, bytes) = redactor
        .file("evidence/rhine.txt", b"at Rhine 5".to_vec())
        .unwrap();
    assert_eq!(
        (path.as_str(), bytes.as_slice()),
        ("evidence/(cut text 1).txt", &b"at (cut text 1) 5"[..])
    );
    assert_eq!(redactor.file("evidence/photo.jpg", vec![0xff, 0xd8]), None);
    assert_eq!(redactor.file("keys/a.pcapng", b"x".to_vec()), None);
    assert_eq!(
        redactor.file("evidence/b.txt", b"CLIENT_RANDOM 00 11".to_vec()),
        None
    );
    let plain = redactor.file("evidence/c.txt", b"ok".to_vec()).unwrap();
    assert_eq!(plain.1, b"ok");
    let left_out: Vec<_> = redactor.files.iter().map(|file| file.left_out).collect();
    assert_eq!(left_out, [false, true, true, true]);
}

#[test]
fn too_short_a_text_is_refused() {
    let record = example::record();
    let short = Redactor::new(BTreeSet::new(), &["abc".to_owned()], &record, [0; 32]);
    assert!(matches!(short, Err(RedactError::Short(_))));
}

#[test]
fn the_hash_of_a_value_is_keyed() {
    let one = redactor(&[Kind::Serials], &[]);
    let other = Redactor::new([Kind::Serials].into(), &[], &example::record(), [2; 32]).unwrap();
    let hash = |redactor: &Redactor| redactor.values["0042"].cut.sha256.clone();
    assert_ne!(hash(&one), hash(&other));
    assert_ne!(hash(&one), sha256::of_bytes(b"0042"));
}
