//! What a selection comes to: each requirement selected or excluded, once, and enhancements with their base.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::claim::asked;
use super::lookup::{Found, Scope};
use super::select::{List, Rows, Select};
use super::shape::IdText;
use super::{Decision, Entry};
use crate::catalogue::Requirement;
use crate::file::Diagnostic;
use crate::level::SlVector;
use crate::requirement::RequirementId;

/// What a selection comes to, in the standard's order, and what is wrong with it.
pub(super) fn decide(
    select: &Select,
    scope: &Scope<'_>,
    claim: Option<SlVector>,
) -> (Vec<Entry>, Vec<Diagnostic>) {
    let mut selection = Selection {
        asked: claim
            .filter(|_| !scope.components.is_empty())
            .map(|claim| asked(scope.catalogue, scope.components, claim).collect()),
        selected: BTreeMap::new(),
        excluded: BTreeMap::new(),
        meant: BTreeSet::new(),
        selected_whole: true,
        excluded_whole: true,
        faults: Vec::new(),
    };
    selection.rows(select, scope);
    selection.include(select, scope);
    selection.exclude(select, scope);
    selection.check_bases();
    if let Some(rows) = &select.rows
        && selection.selected_whole
        && selection.selected.is_empty()
        && selection.faults.is_empty()
    {
        let what = "this profile selects no requirement";
        let help = "claim a level of 1 or more, or list ids";
        selection
            .faults
            .push(Diagnostic::warning(rows.span.clone(), what).help(help));
    }
    (selection.entries(), selection.faults)
}

struct Selection {
    /// What the claim asks for; none where the claim or the component types are not right.
    asked: Option<Vec<&'static Requirement>>,
    selected: BTreeMap<RequirementId, Selected>,
    excluded: BTreeMap<RequirementId, Excluded>,
    /// Ids that were misspelt in the file, as they were probably meant.
    meant: BTreeSet<RequirementId>,
    /// Whether all that selects could be read. What is missing from half a selection is no fault.
    selected_whole: bool,
    /// Whether all that excludes could be read.
    excluded_whole: bool,
    faults: Vec<Diagnostic>,
}

struct Selected {
    row: &'static Requirement,
    by: By,
    span: Range<usize>,
    justification: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Claim,
    Rows,
    Include,
}

struct Excluded {
    row: &'static Requirement,
    span: Range<usize>,
    justification: String,
}

impl Selection {
    fn rows(&mut self, select: &Select, scope: &Scope<'_>) {
        let Some(rows) = &select.rows else {
            self.selected_whole = false;
            return;
        };
        match &rows.value {
            Rows::Required => {
                self.selected_whole &= self.asked.is_some();
                for row in self.asked.iter().flatten().copied() {
                    let one = Selected {
                        row,
                        by: By::Claim,
                        span: rows.span.clone(),
                        justification: None,
                    };
                    self.selected.insert(row.id, one);
                }
            }
            Rows::Listed(List(items)) => {
                for item in items {
                    self.selected_whole &= item.0.is_some();
                    self.select(item.0.as_ref(), By::Rows, None, scope);
                }
            }
        }
    }

    fn include(&mut self, select: &Select, scope: &Scope<'_>) {
        let (entries, whole) = right(select.include.as_ref());
        self.selected_whole &= whole;
        for entry in entries {
            self.selected_whole &= entry.id.is_some();
            let reason = entry.justification.as_ref().and_then(Option::as_ref);
            self.select(
                entry.id.as_ref(),
                By::Include,
                reason.map(|reason| reason.0.clone()),
                scope,
            );
        }
    }

    fn select(
        &mut self,
        id: Option<&IdText>,
        by: By,
        justification: Option<String>,
        scope: &Scope<'_>,
    ) {
        let Some((row, span)) = self.look_up(id, scope) else {
            return;
        };
        let Some(before) = self.selected.get_mut(&row.id) else {
            let one = Selected {
                row,
                by,
                span,
                justification,
            };
            self.selected.insert(row.id, one);
            return;
        };
        let id = row.id;
        if before.by == By::Claim {
            before.justification = justification;
            let what = format!("the claim asks for `{id}` already");
            self.faults
                .push(Diagnostic::warning(span, what).help("remove this entry"));
            return;
        }
        let what = match (before.by, by) {
            (By::Rows, By::Include) => format!("`{id}` stands in `rows` already"),
            _ => format!("`{id}` stands twice in the list"),
        };
        self.faults
            .push(Diagnostic::error(span, what).help("remove one"));
    }

    fn exclude(&mut self, select: &Select, scope: &Scope<'_>) {
        let (entries, whole) = right(select.exclude.as_ref());
        self.excluded_whole &= whole;
        for entry in entries {
            self.excluded_whole &= entry.id.is_some();
            let Some((row, span)) = self.look_up(entry.id.as_ref(), scope) else {
                continue;
            };
            let id = row.id;
            if self.excluded.contains_key(&id) {
                let what = format!("`{id}` is excluded twice");
                self.faults
                    .push(Diagnostic::error(span, what).help("remove one"));
                continue;
            }
            match self.selected.get(&id).map(|one| one.by) {
                Some(By::Claim) => {
                    self.selected.remove(&id);
                }
                Some(by) => {
                    let place = if by == By::Rows { "rows" } else { "include" };
                    let what = format!("`{id}` is excluded here and selected in `{place}`");
                    self.faults
                        .push(Diagnostic::error(span.clone(), what).help("decide for one"));
                }
                None if self.asked.is_some() && !self.is_asked(id) => {
                    let what = format!("the claim does not ask for `{id}`, so it is out anyway");
                    self.faults
                        .push(Diagnostic::warning(span.clone(), what).help("remove this entry"));
                }
                None => {}
            }
            let justification = entry.justification.as_ref().map(|reason| reason.0.clone());
            let one = Excluded {
                row,
                span,
                justification: justification.unwrap_or_default(),
            };
            self.excluded.insert(id, one);
        }
    }

    /// An enhancement makes its base requirement stronger: it cannot hold where the base need not.
    fn check_bases(&mut self) {
        if !self.selected_whole {
            return;
        }
        let mut left: BTreeMap<RequirementId, Vec<String>> = BTreeMap::new();
        for one in self.selected.values() {
            let Some(base) = one.row.id.base() else {
                continue;
            };
            if self.selected.contains_key(&base) || self.meant.contains(&base) {
                continue;
            }
            let id = one.row.id;
            if one.by == By::Claim {
                if self.excluded_whole && !self.meant.contains(&id) {
                    left.entry(base).or_default().push(id.to_string());
                }
                continue;
            }
            let (what, help) = if self.excluded.contains_key(&base) {
                let what = format!("`{id}` is selected and its base `{base}` is excluded");
                (what, format!("exclude `{id}` too, or neither"))
            } else {
                let what = format!("`{id}` is selected without its base `{base}`");
                (what, format!("select `{base}` too, or remove `{id}`"))
            };
            self.faults
                .push(Diagnostic::error(one.span.clone(), what).help(help));
        }
        for (base, enhancements) in left {
            // The claim asks for a base wherever it asks for the enhancement, so somebody has excluded it.
            if let Some(one) = self.excluded.get(&base) {
                let enhancements = enhancements.join("`, `");
                let what =
                    format!("`{base}` is excluded and the claim still asks for `{enhancements}`");
                let help =
                    format!("exclude `{enhancements}` too, each with its reason, or keep `{base}`");
                self.faults
                    .push(Diagnostic::error(one.span.clone(), what).help(help));
            }
        }
    }

    fn is_asked(&self, id: RequirementId) -> bool {
        self.asked.iter().flatten().any(|row| row.id == id)
    }

    /// The row of an id and where it stands; none where the id is not right, which is reported.
    fn look_up(
        &mut self,
        id: Option<&IdText>,
        scope: &Scope<'_>,
    ) -> Option<(&'static Requirement, Range<usize>)> {
        let IdText(text) = id?;
        match scope.find(text, &mut self.faults) {
            Found::Row(row) => Some((row, text.span.clone())),
            Found::Meant(row) => {
                self.meant.extend(row.map(|row| row.id));
                None
            }
        }
    }

    fn entries(&mut self) -> Vec<Entry> {
        let selected = std::mem::take(&mut self.selected)
            .into_values()
            .map(|one| Entry {
                requirement: one.row,
                decision: Decision::Selected {
                    justification: one.justification,
                },
            });
        let excluded = std::mem::take(&mut self.excluded)
            .into_values()
            .map(|one| Entry {
                requirement: one.row,
                decision: Decision::Excluded {
                    justification: one.justification,
                },
            });
        let mut entries: Vec<_> = selected.chain(excluded).collect();
        entries.sort_by_key(|entry| entry.requirement.id);
        entries
    }
}

/// The entries of a list that could be read, and whether those are all.
fn right<T>(list: Option<&List<T>>) -> (Vec<&T>, bool) {
    let Some(List(items)) = list else {
        return (Vec::new(), false);
    };
    let entries: Vec<_> = items.iter().filter_map(|item| item.0.as_ref()).collect();
    let whole = entries.len() == items.len();
    (entries, whole)
}
