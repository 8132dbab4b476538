#!/bin/bash
# All figures of the `gpu` profile on a Ray cluster: many small models, several to a GPU.
#   bash examples/ray.sh head      on the first host
#   bash examples/ray.sh worker    on every other host, with HEAD=address of the first
#   bash examples/ray.sh run       on the first host, when all are there; call it again to go on
# Only the process that calls writes records; workers need no shared disk, but the course installed at the same path.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  head) .venv/bin/ray start --head --port 6379 ;;
  worker) .venv/bin/ray start --address "${HEAD:?the address of the first host}:6379" ;;
  run)
    export RAY_ADDRESS=${RAY_ADDRESS:-auto}
    .venv/bin/tutorial run all --profile gpu --engine ray --jobs 8
    .venv/bin/tutorial export --profile gpu
    ;;
  *) echo "head, worker or run?" >&2; exit 2 ;;
esac
