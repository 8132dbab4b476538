#!/bin/bash
# As many records as a short loan of one GPU allows, what decides most first; call it again to go on.
#   bash examples/gpu_session.sh [MINUTES] [FOLDER] [PROFILE]
# Records lie in FOLDER/records afterwards, one file a figure, and FOLDER/session.log says what took how long. A model
# that is cut off goes on from its last epoch, as long as FOLDER/store is there.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-9}
folder=${2:-build/gpu_session}
profile=${3:-gpu}
figures=${FIGURES:-"fig2_right fig3 cc_map fig5_left fig4 fig2_left cc_attacks"}
jobs=${JOBS:-4}
tutorial=${TUTORIAL:-.venv/bin/tutorial}
until=$(($(date +%s) + 60 * minutes))
mkdir -p "$folder"

say() { echo "$(date -u +%H:%M:%S) $*" | tee -a "$folder/session.log"; }

say "$minutes minutes of $profile, $jobs models at a time"
"$tutorial" doctor >> "$folder/session.log" 2>&1 || say "the doctor found something: see session.log"
for figure in $figures; do
  left=$(($(date +%s) < until ? until - $(date +%s) : 0))
  if [ "$left" -lt 20 ]; then break; fi
  say "$figure, $left s left"
  # a figure whose trials fail does not keep the next ones from their time
  timeout --signal TERM "$left" "$tutorial" run "$figure" --profile "$profile" --store "$folder/store" \
    --jobs "$jobs" --time-limit "$(((left + 59) / 60))m" >> "$folder/session.log" 2>&1 || say "$figure ended with $?"
done
"$tutorial" export --profile "$profile" --store "$folder/store" --out "$folder/records" >> "$folder/session.log" 2>&1
say "records: $(cat "$folder"/records/"$profile"/*.jsonl 2>/dev/null | wc -l)"
