#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A private pcscd inside a chroot, whose "/" is no mount point (a debootstrap tree, a build chroot).
set -euo pipefail
if [ "$(id -u)" != 0 ]; then
  echo "skipped: only root may chroot"
  exit 77
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
said=$(chroot "$root" /build/bin/kilt-sim run --card kaztoken --via pcscd -- /build/bin/kilt --json list)
echo "$said"
grep -q '"KAZTOKEN"' <<< "$said"
