#!/bin/sh
# Says whether the version of package.json is still to be released: its tag must not exist.
# Writes release_needed= and release_version= to $GITHUB_OUTPUT where that is set.
# A release that exists is an error (status 2), unless CHECK_RELEASE_STRICT=0.
set -eu

version=${RELEASE_VERSION:-$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)}

say() {
  lines=$(printf 'release_needed=%s\nrelease_version=%s\n' "$1" "$version")
  if [ -n "${GITHUB_OUTPUT:-}" ]; then
    printf '%s\n' "$lines" >> "$GITHUB_OUTPUT"
  else
    printf '%s\n' "$lines"
  fi
}

# Ends here where git does not read the clone: there would seem to be no tag.
head=$(git rev-parse HEAD)
if git rev-parse --quiet --verify "refs/tags/v$version" > /dev/null; then
  # A tag on this very commit is what starts a release; one elsewhere is a release that is done.
  if [ "$(git rev-parse "refs/tags/v$version^{commit}")" != "$head" ]; then
    printf 'Tag v%s already exists; skipping release.\n' "$version" >&2
    say false
    [ "${CHECK_RELEASE_STRICT:-1}" = 0 ] || exit 2
    exit 0
  fi
fi
say true
