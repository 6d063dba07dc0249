//! What a profile comes to once it is loaded, alone and with others.

use slcert_profiles::file::Source;
use slcert_profiles::profile::{Decision, Scheme, Status};
use slcert_profiles::{ComponentType, Profile, Requirement};

const HEAD: &str = r#"
version = "1.2.3-rc.1"
scheme = "IEC TS 62443-1-5:2023"
publisher = "Plant A Ltd"
date = 2026-03-01
status = "published"
components = ["embedded-device"]
basis = { standard = "IEC 62443-4-2", edition = "2019" }
"#;

const NO_SCREEN: &str = "The device has no screen and no console.";

fn profile(id: &str, rest: &str) -> Profile {
    let text = format!("id = '{id}'\ntitle = 'Plant A'\n{HEAD}{rest}");
    let source = Source::new("plant-a.toml", &text);
    Profile::load(&source).unwrap_or_else(|faults| panic!("{faults}"))
}

fn ids<'r>(rows: impl Iterator<Item = &'r Requirement>) -> Vec<String> {
    rows.map(|row| row.id.to_string()).collect()
}

fn without_banner() -> Profile {
    let exclude = format!("exclude = [{{ id = 'CR 1.12', justification = '{NO_SCREEN}' }}]");
    profile(
        "a",
        &format!("claim.level = 1\n[select]\nrows = 'required'\n{exclude}"),
    )
}

#[test]
fn a_profile_keeps_what_it_says_of_itself() {
    let profile = profile(
        "plant-a",
        "claim.level = 1\nselect.rows = 'required'\n[context]\nsector = 'water'\nassumptions = ['The door is locked.']\n[context.terms]\n'human user' = 'shift operator'\n",
    );
    assert_eq!(profile.id, "plant-a");
    assert_eq!(profile.version.to_string(), "1.2.3-rc.1");
    assert_eq!(
        profile.date.map(|date| date.to_string()).as_deref(),
        Some("2026-03-01")
    );
    assert_eq!(profile.scheme, Scheme::Ts62443Part1_5Of2023);
    assert_eq!(profile.scheme.to_string(), "IEC TS 62443-1-5:2023");
    assert_eq!(profile.status, Status::Published);
    assert_eq!(profile.basis().edition(), "2019");
    assert_eq!(profile.context.sector.as_deref(), Some("water"));
    assert_eq!(profile.context.assumptions, ["The door is locked."]);
    assert_eq!(profile.context.terms["human user"], "shift operator");
}

#[test]
fn the_hash_is_that_of_the_text() {
    let source = Profile::built_in_source("host-device-sl1").unwrap();
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&source.name);
    let sum = std::process::Command::new("sha256sum").arg(file).output();
    let profile = Profile::load(&source).unwrap();
    if let Ok(sum) = sum {
        let sum = String::from_utf8(sum.stdout).unwrap();
        assert_eq!(sum.split(' ').next(), Some(profile.sha256()));
    }
    let changed = Source::new("x", &format!("{} ", source.text));
    assert_ne!(Profile::load(&changed).unwrap().sha256(), profile.sha256());
    assert_eq!(profile.sha256().len(), 64);
}

#[test]
fn a_claim_of_seven_levels_asks_for_the_rows_of_each() {
    let profile = profile(
        "a",
        "claim = { iac = 1, uc = 0, si = 0, dc = 3, rdf = 0, tre = 0, ra = 0 }\nselect.rows = 'required'",
    );
    assert_eq!(profile.claim().to_string(), "{1 0 0 3 0 0 0}");
    let ids = ids(profile.required());
    assert!(ids.iter().any(|id| id == "CR 1.1") && ids.iter().any(|id| id == "CR 4.1"));
    assert!(
        !ids.iter().any(|id| id == "CR 1.1 RE(1)"),
        "FR 1 is claimed at level 1"
    );
    assert!(
        !ids.iter().any(|id| id.starts_with("CR 2.")),
        "FR 2 is not claimed"
    );
    assert_eq!(ids.iter().filter(|id| id.starts_with("CCSC")).count(), 4);
    assert_eq!(profile.gaps().count(), 0);
}

#[test]
fn a_profile_for_two_component_types_asks_for_the_rows_of_both() {
    let text = "components = ['network-device', 'embedded-device']";
    let head = HEAD.replace("components = [\"embedded-device\"]", text);
    let text = format!("id = 'a'\ntitle = 't'\n{head}claim.level = 1\nselect.rows = 'required'");
    let profile = Profile::load(&Source::new("a.toml", &text)).unwrap();
    let ids = ids(profile.required());
    for id in ["EDR 2.4", "NDR 2.4", "NDR 1.6"] {
        assert!(ids.iter().any(|one| one == id), "{id}");
    }
    assert!(
        !ids.iter()
            .any(|id| id.starts_with("HDR") || id.starts_with("SAR"))
    );
}

#[test]
fn an_exclusion_is_a_gap_with_a_reason() {
    let profile = without_banner();
    let excluded: Vec<_> = profile.excluded().collect();
    assert_eq!(excluded.len(), 1);
    assert_eq!(excluded[0].0.id.to_string(), "CR 1.12");
    assert_eq!(excluded[0].1, NO_SCREEN);
    assert!(!ids(profile.required()).contains(&"CR 1.12".to_owned()));
    let gaps: Vec<_> = profile.gaps().collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].requirement.id.to_string(), "CR 1.12");
    assert_eq!(gaps[0].justification, Some(NO_SCREEN));
}

#[test]
fn a_list_that_leaves_out_what_the_claim_asks_for_has_gaps_without_a_reason() {
    let profile = profile("a", "claim.level = 1\nselect.rows = ['CR 1.3', 'CR 1.1']");
    assert_eq!(ids(profile.required()), ["CR 1.1", "CR 1.3"]);
    assert_eq!(profile.gaps().count(), 36 + 4 - 2);
    assert!(profile.gaps().all(|gap| gap.justification.is_none()));
}

#[test]
fn a_requirement_beyond_the_claim_is_selected_with_its_reason() {
    let include = "include = [{ id = 'CR 1.1 RE(1)', justification = 'Shifts share the desk.' }]";
    let profile = profile(
        "a",
        &format!("claim.level = 1\n[select]\nrows = 'required'\n{include}"),
    );
    let entry = profile
        .entries()
        .iter()
        .find(|entry| entry.requirement.id.to_string() == "CR 1.1 RE(1)")
        .unwrap();
    let justification = Some("Shifts share the desk.".to_owned());
    assert_eq!(entry.decision, Decision::Selected { justification });
    assert!(profile.warnings().is_empty());
}

#[test]
fn of_two_profiles_the_one_that_selects_wins_and_both_reasons_are_kept() {
    let plain = profile("b", "claim.level = 2\nselect.rows = ['CR 1.12', 'CR 7.8']");
    let merged = Profile::merge(&[without_banner(), plain]);
    assert_eq!(merged.claim().to_string(), "{2 2 2 2 2 2 2}");
    let conflicts: Vec<_> = merged.conflicts().collect();
    assert_eq!(conflicts.len(), 1);
    let banner = conflicts[0];
    assert_eq!(banner.requirement.id.to_string(), "CR 1.12");
    assert!(banner.is_required());
    assert_eq!(banner.selected_by[0].profile, "b");
    assert_eq!(banner.excluded_by[0].profile, "a");
    assert_eq!(
        banner.excluded_by[0].justification.as_deref(),
        Some(NO_SCREEN)
    );
    let ids = ids(merged.required());
    assert!(ids.contains(&"CR 1.12".to_owned()) && ids.contains(&"CR 7.8".to_owned()));
    assert_eq!(merged.excluded().count(), 0);
    // b claims level 2 and selects two rows; a selects the others of level 1, so level 2's are left.
    let gaps: Vec<_> = merged
        .gaps()
        .map(|row| row.requirement.level.get())
        .collect();
    assert!(
        !gaps.is_empty() && gaps.iter().all(|level| *level == 2),
        "{gaps:?}"
    );
}

#[test]
fn the_highest_claim_of_each_of_the_seven_holds_in_any_order() {
    let mixed = profile(
        "c",
        "claim = { iac = 3, uc = 1, si = 1, dc = 0, rdf = 0, tre = 1, ra = 1 }\nselect.rows = 'required'",
    );
    let host = Profile::built_in("host-device-sl2").unwrap().clone();
    let here = Profile::merge(&[mixed.clone(), host.clone()]);
    let there = Profile::merge(&[host, mixed]);
    assert_eq!(here.claim().to_string(), "{3 2 2 2 2 2 2}");
    assert_eq!(there.claim(), here.claim());
    assert_eq!(
        here.components(),
        [ComponentType::EmbeddedDevice, ComponentType::HostDevice]
    );
    // Each claim is for its own component types, so the host's level 2 asks nothing of the embedded device.
    assert_eq!(here.gaps().count(), 0);
    assert!(!ids(here.required()).contains(&"EDR 2.13".to_owned()));
    assert_eq!(ids(there.required()), ids(here.required()));
}

#[test]
fn what_all_profiles_exclude_stays_a_gap() {
    let merged = Profile::merge(&[without_banner(), without_banner()]);
    let excluded: Vec<_> = merged.excluded().collect();
    assert_eq!(excluded.len(), 1);
    assert_eq!(excluded[0].excluded_by.len(), 2);
    assert_eq!(merged.gaps().collect::<Vec<_>>(), excluded);
    assert_eq!(merged.conflicts().count(), 0);
}

#[test]
fn no_profile_at_all_asks_for_nothing() {
    let merged = Profile::merge(&[]);
    assert_eq!(merged.required().count() + merged.gaps().count(), 0);
    assert!(merged.components().is_empty());
}
