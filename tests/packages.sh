# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The Debian 12 packages that building, the demo and the tests need; sourced, not run.

# shellcheck disable=SC2034  # used by whoever sources this
build_packages=(
  g++ cmake ninja-build pkg-config
  libpcsclite-dev libmbedtls-dev nettle-dev libnss3-dev
  libcli11-dev libfmt-dev nlohmann-json3-dev libtomlplusplus-dev
)
# shellcheck disable=SC2034
demo_packages=(pcscd opensc opensc-pkcs11 openssl)
# shellcheck disable=SC2034
test_packages=(
  "${demo_packages[@]}"
  libgtest-dev libgmock-dev libssl-dev libc6-dev python3 git
  vsmartcard-vpcd libengine-gost-openssl
  # programs that use the module
  gnutls-bin p11-kit p11-kit-modules libengine-pkcs11-openssl openssh-client openssh-server
  openjdk-17-jdk-headless libnss3-tools poppler-utils nginx-light curl openvpn gnupg-pkcs11-scd
  gpg gpg-agent gpgsm python3-pykcs11 valgrind mount
  clang-format clang-tidy iproute2 util-linux
)

# install_packages NAME...: those that are not there yet, as root or by sudo.
install_packages() {
  local missing=() sudo=() name
  for name in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  echo "== install: ${missing[*]}"
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -q
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
}
