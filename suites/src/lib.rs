//! How a device is tested: the cases, a folder a foundational requirement and a file a requirement.
//!
//! A case is written once and runs on every interface that fits it. Whoever knows the standard finds the test of CR 1.11
//! in `iac/cr_1_11.rs`.

#![deny(missing_docs)]

pub mod account;
pub mod added;
pub mod administrator;
pub mod alert;
pub mod alter;
pub mod audit;
pub mod backup;
pub mod baseline;
pub mod boundary;
pub mod case;
pub mod ccsc;
pub mod clock;
pub mod configured;
pub mod coverage;
pub mod dc;
pub mod effect;
pub mod fixture;
pub mod fresh;
pub mod fuzz;
pub mod hands;
pub mod held;
pub mod iac;
pub mod inspection;
pub mod leak;
pub mod lingering;
pub mod live;
pub mod modbus;
pub mod offer;
pub mod own;
pub mod password;
pub mod plain;
pub mod plan;
pub mod power;
pub mod procedure;
pub mod provoke;
pub mod ra;
pub mod rdf;
pub mod rights;
pub mod sealed;
pub mod second_factor;
pub mod session;
pub mod si;
pub mod strain;
pub mod terminate;
pub mod tre;
pub mod uc;
pub mod update;

pub use case::Case;
pub use plan::{Blocked, Trial, plan};
pub use procedure::{Procedure, Stop};

/// What cases wait for.
pub(crate) fn waits() -> impl Iterator<Item = &'static case::Wait> {
    [
        iac::cr_1_1_re_2::WAITS,
        iac::cr_1_11::WAITS,
        uc::cr_2_5::WAITS,
        uc::cr_2_6::WAITS,
    ]
    .into_iter()
    .flatten()
}

/// All cases, in the standard's order.
pub fn cases() -> Vec<&'static Case> {
    [
        ccsc::ccsc_1::CASES,
        iac::cr_1_1::CASES,
        iac::cr_1_1_re_1::CASES,
        iac::cr_1_1_re_2::CASES,
        iac::cr_1_2::CASES,
        iac::cr_1_2_re_1::CASES,
        iac::cr_1_3::CASES,
        iac::cr_1_4::CASES,
        iac::cr_1_5::CASES,
        iac::cr_1_7::CASES,
        iac::cr_1_7_re_1::CASES,
        iac::cr_1_7_re_2::CASES,
        iac::cr_1_8::CASES,
        iac::cr_1_9::CASES,
        iac::cr_1_10::CASES,
        iac::cr_1_11::CASES,
        iac::cr_1_12::CASES,
        iac::ndr_1_13::CASES,
        iac::ndr_1_13_re_1::CASES,
        iac::cr_1_14::CASES,
        uc::cr_2_1::CASES,
        uc::cr_2_1_re_1::CASES,
        uc::cr_2_1_re_2::CASES,
        uc::cr_2_1_re_3::CASES,
        uc::cr_2_1_re_4::CASES,
        uc::edr_2_4::CASES,
        uc::cr_2_5::CASES,
        uc::cr_2_6::CASES,
        uc::cr_2_7::CASES,
        uc::cr_2_8::CASES,
        uc::cr_2_9::CASES,
        uc::cr_2_9_re_1::CASES,
        uc::cr_2_10::CASES,
        uc::cr_2_11::CASES,
        uc::cr_2_11_re_1::CASES,
        uc::cr_2_11_re_2::CASES,
        uc::cr_2_12::CASES,
        uc::cr_2_12_re_1::CASES,
        si::cr_3_1::CASES,
        si::cr_3_1_re_1::CASES,
        si::cr_3_4_re_2::CASES,
        si::cr_3_4::CASES,
        si::cr_3_5::CASES,
        si::cr_3_5_fuzz::CASES,
        si::cr_3_6::CASES,
        si::cr_3_7::CASES,
        si::cr_3_8::CASES,
        si::cr_3_9::CASES,
        si::edr_3_10::CASES,
        si::edr_3_13::CASES,
        si::edr_3_14::CASES,
        dc::cr_4_1::CASES,
        dc::cr_4_2::CASES,
        dc::cr_4_2_re_1::CASES,
        dc::cr_4_2_re_2::CASES,
        dc::cr_4_3::CASES,
        rdf::cr_5_1::CASES,
        rdf::ndr_5_2::CASES,
        rdf::ndr_5_2_re_1::CASES,
        rdf::ndr_5_2_re_2::CASES,
        rdf::ndr_5_2_re_3::CASES,
        rdf::ndr_5_3::CASES,
        tre::cr_6_1::CASES,
        tre::cr_6_1_re_1::CASES,
        tre::cr_6_2::CASES,
        ra::cr_7_2::CASES,
        ra::cr_7_3::CASES,
        ra::cr_7_4::CASES,
        ra::cr_7_6::CASES,
        ra::cr_7_7::CASES,
        ra::cr_7_8::CASES,
        inspection::CASES,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use slcert_profiles::{Catalogue, RequirementId};

    use super::*;

    #[test]
    fn every_case_gives_evidence_for_a_requirement_of_the_catalogue() {
        let catalogue = Catalogue::of("IEC 62443-4-2", "2019").unwrap();
        for case in cases() {
            assert!(!case.requirements.is_empty(), "{}", case.id);
            for id in case.requirements {
                let id: RequirementId = id.parse().unwrap();
                assert!(catalogue.get(id).is_some(), "{id}");
            }
        }
    }

    #[test]
    fn no_two_cases_of_a_requirement_have_the_same_id() {
        let mut seen = BTreeSet::new();
        for case in cases() {
            assert!(
                seen.insert((case.requirements[0], case.id)),
                "{} {}",
                case.requirements[0],
                case.id
            );
        }
    }
}
