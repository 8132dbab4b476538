#!/bin/bash
# Figure 4 of Carlini & Terzis at the paper's scale: each model on all GPUs of two hosts, one model after another.
#   sbatch examples/slurm.sh
# The store must lie on a disk that all hosts share. When the time is over, or a host dies, submit it again: finished
# models are records, and the one in training goes on from its last epoch.
#SBATCH --job-name=backdoor
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

export TUTORIAL_DATA=${TUTORIAL_DATA:-$PWD/data}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

srun .venv/bin/torchrun \
  --nnodes "$SLURM_NNODES" --nproc-per-node 8 --max-restarts 3 \
  --rdzv-backend c10d --rdzv-endpoint "$head:29500" --rdzv-id "$SLURM_JOB_ID" \
  -m tutorial_lib.cli run fig4 --profile paper --store build/runs --time-limit 23h
