//! The settings that the vendor recommends, by the device's own names.

use std::collections::BTreeMap;

use slcert_rigs::rig::{Recommended, Values};

use crate::hands::{Desk, hand};
use crate::procedure::{Procedure, Stop};

/// The settings that the rig file states.
///
/// # Errors
/// NOT EVALUATED where it states none.
pub fn recommended<'r>(p: &Procedure<'r>) -> Result<&'r BTreeMap<String, Recommended>, Stop> {
    let baseline = &p.rig().baseline;
    if baseline.is_empty() {
        return Err(Stop::not_evaluated(
            "the rig file states no recommended settings (`baseline`)",
        ));
    }
    Ok(baseline)
}

/// Reads a setting.
///
/// # Errors
/// Nobody may, or the device did not tell.
pub async fn read<'r>(p: &Procedure<'r>, desk: &mut Desk<'r>, name: &str) -> Result<String, Stop> {
    let values = Values::from([("name".to_owned(), name.to_owned())]);
    desk.must(p, hand(p, "read_setting")?, "read_setting", &values)
        .await
}

/// Changes a setting.
///
/// # Errors
/// Nobody may, or the device did not do it.
pub async fn change<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    name: &str,
    value: &str,
) -> Result<(), Stop> {
    let values = Values::from([
        ("name".to_owned(), name.to_owned()),
        ("value".to_owned(), value.to_owned()),
    ]);
    desk.must(p, hand(p, "change_setting")?, "change_setting", &values)
        .await
        .map(|_| ())
}

/// The settings whose change can be tried, with another value for each.
pub fn changeable(baseline: &BTreeMap<String, Recommended>) -> impl Iterator<Item = (&str, &str)> {
    baseline
        .iter()
        .filter_map(|(name, one)| Some((name.as_str(), one.other.as_deref()?)))
}
