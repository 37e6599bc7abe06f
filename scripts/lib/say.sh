# How the scripts speak: one line per stage with its time, and trouble in three parts. Sourced by the others.
# shellcheck shell=bash

export started_at=${started_at:-$(date +%s)}

# stage NAME WHAT: a line of progress, with the minutes and seconds since the script began.
stage() {
  local seconds=$(($(date +%s) - started_at))
  printf '%-10s %2d:%02d  %s\n' "$1" $((seconds / 60)) $((seconds % 60)) "$2"
}

note() { printf '%-10s       %s\n' "$1" "$2"; }

# trouble WHAT_HAPPENED WHAT_WAS_DONE WHAT_YOU_CAN_DO
trouble() {
  {
    echo "  what happened:     $1"
    echo "  what was done:     $2"
    echo "  what you can do:   $3"
  } >&2
}
