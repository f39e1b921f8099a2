#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A private pcscd inside a chroot, whose "/" is no mount point (a debootstrap tree, a build chroot).
set -euo pipefail
if [ "$(id -u)" != 0 ]; then
  echo "skipped: only root may chroot"
  exit 77
fi

# see_card BUILD [chroot ROOT]: kilt sees a simulated card through a private pcscd.
see_card() {
  local build=$1 said
  shift
  said=$("$@" "$build/bin/kilt-sim" run --card kaztoken --via pcscd -- "$build/bin/kilt" --json list)
  echo "$said"
  grep -q '"KAZTOKEN"' <<< "$said"
}

# In a chroot already: mountinfo shows no mount at "/", and unshare(1) could not begin.
if ! awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo; then
  see_card "$KILT_BUILD"
  exit
fi
if [ "${1:-}" != inside ]; then
  root=$(mktemp -d)
  trap 'rm -rf --one-file-system "$root"' EXIT
  # The mounts below end with the namespace, before the directory is removed.
  unshare --mount "$0" inside "$root" "$KILT_BUILD"
  exit
fi
root=$2 build=$3
for place in usr etc proc dev; do
  mkdir "$root/$place"
  mount --rbind "/$place" "$root/$place"
done
for place in bin sbin lib lib64; do ln -s "usr/$place" "$root/$place"; done
mkdir -m 1777 "$root/tmp" "$root/run"
mkdir "$root/build"
mount --bind "$build" "$root/build"
see_card /build chroot "$root"
