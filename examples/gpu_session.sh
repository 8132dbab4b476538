#!/bin/bash
# As many records as a short loan of one GPU allows, what decides most first; call it again to go on.
#   bash examples/gpu_session.sh [MINUTES] [FOLDER] [PROFILES]
# Records lie in FOLDER/records afterwards, one file a figure, and FOLDER/session.log says what took how long. A model
# that the end cuts off goes on from where it was in the next call, as long as FOLDER/store is there.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-9}
folder=${2:-build/gpu_session}
profiles=${3:-overnight gpu}
jobs=${JOBS:-4}
tutorial=${TUTORIAL:-.venv/bin/tutorial}
end=30 # seconds for writing states and records
until=$(($(date +%s) + 60 * minutes))
mkdir -p "$folder"
export TUTORIAL_SCENES=${TUTORIAL_SCENES:-$folder/scenes}

say() { echo "$(date -u +%H:%M:%S) $*" | tee -a "$folder/session.log"; }

# The largest data and the paper's own counts first: five models answer most.
figures_of() {
  case $1 in
    overnight) echo "fig2_left fig5_left sharing fig2_right cc_attacks" ;;
    *) echo "fig2_right fig3 cc_map fig5_left fig4 fig2_left cc_attacks" ;;
  esac
}

say "$minutes minutes of $profiles, $jobs models at a time"
"$tutorial" doctor >> "$folder/session.log" 2>&1 || say "the doctor found something: see session.log"
for profile in $profiles; do
  for figure in ${FIGURES:-$(figures_of "$profile")}; do
    left=$((until - $(date +%s) - end))
    if [ "$left" -lt 10 ]; then break 2; fi
    say "$figure of $profile, $left s left"
    # long models stop in time with their states kept, and a figure whose trials fail does not keep the next from theirs
    timeout --signal TERM "$((left + end - 5))" "$tutorial" run "$figure" --profile "$profile" --store "$folder/store" \
      --jobs "$jobs" --time-limit "${left}s" >> "$folder/session.log" 2>&1 || say "$figure ended with $?"
  done
done
for profile in $profiles; do
  "$tutorial" export --profile "$profile" --store "$folder/store" --out "$folder/records" >> "$folder/session.log" 2>&1
done
say "records: $(cat "$folder"/records/*/*.jsonl 2>/dev/null | wc -l)"
