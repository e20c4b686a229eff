"""The policy pack, as the Pulumi engine starts it: `pulumi preview --policy-pack policies`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import PolicyPack

from policies.pack import policies

PolicyPack(name="mlflow-platform", policies=policies())
