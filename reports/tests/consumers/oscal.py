"""Reads the documents of OSCAL in a folder with compliance-trestle, whose models are those of NIST's schema, and resolves the
profile against the catalogue. Prints the controls that it selects."""

import argparse
import json
import pathlib
import shutil
import sys

from trestle.core.profile_resolver import ProfileResolver
from trestle.core.validator_factory import validator_factory
from trestle.oscal.assessment_plan import AssessmentPlan
from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.catalog import Catalog
from trestle.oscal.profile import Profile

folder = pathlib.Path(sys.argv[1])
models = {
    "catalog": Catalog,
    "profile": Profile,
    "assessment-plan": AssessmentPlan,
    "assessment-results": AssessmentResults,
}
validator = validator_factory.get(argparse.Namespace(mode="all"))
for name, model in models.items():
    document = model.oscal_read(folder / f"{name}.json")
    if not validator.model_is_valid(document, True):
        sys.exit(f"{name} is not valid")

# Trestle finds a catalogue in its workspace alone.
workspace = folder / "workspace"
(workspace / ".trestle").mkdir(parents=True, exist_ok=True)
(workspace / "catalogs/one").mkdir(parents=True, exist_ok=True)
shutil.copy(folder / "catalog.json", workspace / "catalogs/one/catalog.json")
profile = json.loads((folder / "profile.json").read_text())
profile["profile"]["imports"][0]["href"] = "trestle://catalogs/one/catalog.json"
path = workspace / "profiles/one/profile.json"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(profile))
resolved = ProfileResolver.get_resolved_profile_catalog(workspace, path)


def walk(controls):
    for control in controls or []:
        print(control.id)
        walk(control.controls)


walk(resolved.controls)
for group in resolved.groups or []:
    walk(group.controls)
