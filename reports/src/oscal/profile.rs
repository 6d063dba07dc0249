//! What the profile selects of the catalogue for the SL-C that is claimed, and why it leaves out what it excludes.

use serde_json::{Value, json};

use super::{Campaign, control, line, property, put};

/// The profile.
pub(super) fn profile(campaign: &Campaign<'_>) -> Value {
    let record = campaign.record;
    let mut import = json!({ "href": "catalog.json" });
    let ids: Vec<String> = campaign.asked().map(control).collect();
    if ids.is_empty() {
        // An import that includes nothing imports everything.
        let rows = record.selection.iter();
        let rows: Vec<String> = rows.map(|row| control(row.id)).collect();
        import["include-all"] = json!({});
        if !rows.is_empty() {
            import["exclude-controls"] = json!([{ "with-ids": rows }]);
        }
    } else {
        import["include-controls"] = json!([{ "with-ids": ids }]);
    }
    let mut metadata = campaign.metadata(&line(&record.profile.title));
    metadata["props"] = json!([
        property("profile-id", &record.profile.id),
        property("profile-version", &record.profile.version),
        property("profile-sha256", &record.profile.sha256),
        property("sl-c-claimed", &campaign.assessment.claimed.to_string()),
    ]);
    let excluded = record.selection.iter().filter_map(|row| {
        let why = row.excluded.as_ref()?;
        Some(json!({
            "uuid": campaign.uuid("excluded", &row.id.to_string()),
            "title": format!("{} is excluded", row.id),
            "description": line(why),
        }))
    });
    let mut profile = json!({
        "uuid": campaign.uuid("document", "profile"),
        "metadata": metadata,
        "imports": [import],
        "merge": { "as-is": true },
    });
    let excluded: Vec<Value> = excluded.collect();
    if !excluded.is_empty() {
        put(&mut profile["back-matter"], "resources", excluded);
    }
    json!({ "profile": profile })
}
