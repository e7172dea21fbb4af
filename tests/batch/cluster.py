"""A Ray cluster of two nodes on loopback, in a process of its own: `remove` on stdin takes one away, the end ends it.

python -m tests.batch.cluster FOLDER    prints the address
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Read when Ray is imported: nodes that are on this machine only, and nothing that calls home.
os.environ |= {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "false",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def main(folder: str) -> None:
    os.environ["RAY_TMPDIR"] = folder  # else Ray writes to a folder of the machine, which need not be there
    Path(folder, "ray").mkdir(parents=True, exist_ok=True)
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingTypeStubs]

    node = {"num_cpus": 2, "node_ip_address": "127.0.0.1", "object_store_memory": 100_000_000}
    head = {**node, "include_dashboard": False, "temp_dir": f"{folder}/ray"}
    cluster = Cluster(initialize_head=True, connect=False, head_node_args=head)
    try:
        second = cluster.add_node(**node)
        print(cluster.address, flush=True)
        for line in sys.stdin:
            if line.strip() == "remove":
                cluster.remove_node(second, allow_graceful=False)
                print("removed", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
