from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from infra.aws.network import plan


@given(prefix=st.integers(16, 20), zones=st.integers(1, 3), block=st.integers(0, 15))
def test_a_plan_fills_the_network_without_overlap_and_leaves_pods_the_most_room(
    prefix: int, zones: int, block: int
) -> None:
    cidr = list(ip_network("10.0.0.0/8").subnets(new_prefix=prefix))[block]
    made = plan(str(cidr), zones)
    subnets = [ip_network(text) for tier in (made.public, made.private, made.database) for text in tier]
    assert len(subnets) == 3 * zones
    assert all(subnet.subnet_of(cidr) for subnet in subnets)
    assert not any(a.overlaps(b) for i, a in enumerate(subnets) for b in subnets[i + 1 :])
    assert all(ip_network(text).prefixlen == prefix + 2 for text in made.private)
