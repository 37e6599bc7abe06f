# shellcheck shell=bash
# The example with synchronous replication, in a folder of its own. Who has all that was acknowledged may be elsewhere than a scenario names, so
# this plan lets the database move by itself to whoever has (`lifeboat check` warns of the two together).
synchronous_example() {
  local folder=$1
  mkdir -p "$folder"
  cp examples/dating-profile-optimizer/*.* "$folder"
  sed -i -e 's/replication: async/replication: sync/' -e 's/automatic: same-region/automatic: any/' "$folder/plan.yaml"
}
