#!/bin/bash
# Whether the pages tell the truth about the program given: docs/actions.md is what it generates, every command that a page
# or the README names is one it has, every link between pages leads somewhere.
set -euo pipefail
lifeboat=${1:?usage: pages.sh PATH_OF_LIFEBOAT}
wrong=0

if ! "$lifeboat" explain --markdown | diff -u docs/actions.md - >&2; then
  echo "docs/actions.md is not what the program says now; make docs writes it anew" >&2
  wrong=1
fi

while read -r word; do
  if ! "$lifeboat" "$word" --help >/dev/null 2>&1; then
    echo "the pages speak of 'lifeboat $word', which is no command" >&2
    grep -rn "lifeboat $word\b" README.md CONTRIBUTING.md docs | head -n 3 >&2
    wrong=1
  fi
done < <(grep -rhoE '(`|^ *|\$ |build/)lifeboat [a-z][a-z-]+' README.md CONTRIBUTING.md docs | sed 's/.*lifeboat //' | sort -u)

while IFS=: read -r page target; do
  target=${target%%#*}
  if [ -n "$target" ] && [ ! -e "$(dirname "$page")/$target" ]; then
    echo "$page links to $target, which is not there" >&2
    wrong=1
  fi
done < <(grep -roE '\]\([^):[:space:]]+\)' --include='*.md' README.md CONTRIBUTING.md CHANGELOG.md docs src 2>/dev/null |
  sed -E 's/\]\(([^)]*)\)/\1/')

exit "$wrong"
