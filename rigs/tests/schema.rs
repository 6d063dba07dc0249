//! The JSON Schema of rig files is generated, and the file in the repository is kept in step.

use std::path::Path;

use slcert_profiles::file::Source;
use slcert_rigs::rig::Rig;

#[test]
fn the_schema_file_is_in_step() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rig.schema.json");
    let schema = format!("{:#}\n", Rig::schema());
    if std::env::var_os("SLCERT_BLESS").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == schema,
        "rig.schema.json is out of step: run `SLCERT_BLESS=1 cargo test -p slcert-rigs --test schema`"
    );
}

#[test]
fn every_rig_file_of_the_repository_is_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    let devices = std::fs::read_dir(folder.join("devices")).unwrap();
    let rigs = devices
        .filter_map(|entry| Some(entry.ok()?.path().join("rig.toml")))
        .filter(|path| path.exists());
    for path in rigs.chain([folder.join("simulated.toml")]) {
        let source = Source::open(&path).unwrap();
        if let Err(faults) = Rig::load(&source) {
            panic!("{faults}");
        }
        seen += 1;
    }
    assert_eq!(seen, 10);
}
