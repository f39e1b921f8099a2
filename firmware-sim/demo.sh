#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job of kilt, shown on a simulated token, from nothing but a Debian 12:
#
#   firmware-sim/demo.sh [CARD]        CARD as for `kilt-sim run --card`; default kaztoken
#
# Installs what is missing, builds, takes a token as its owner gets it (factory PIN), generates two key pairs on the
# card, makes two requests, lets OpenSSL issue the certificates, installs them, signs a document through the PKCS#11
# module with OpenSC's pkcs11-tool, and lets OpenSSL verify the signature. Then OpenSC's own driver reads the same card.
set -euo pipefail
cd "$(dirname "$0")/.."
card=${1:-kaztoken}
build=${KILT_BUILD:-$PWD/build/release}  # the tests have built elsewhere
bin=$build/bin
module=$build/lib/kilt-pkcs11.so

step() { printf '\n== %s\n' "$*"; }
show() {
  printf '$ %s\n' "$*" | sed "s#$bin/##g; s#$module#kilt-pkcs11.so#g; s#$work/##g"
  "$@"
}

prepare() {
  # shellcheck source=tests/packages.sh
  . tests/packages.sh
  install_packages "${build_packages[@]}" "${demo_packages[@]}"
  step "build"
  cmake --preset release -DBUILD_TESTING=OFF > /dev/null
  cmake --build --preset release -- --quiet
}

# The owner's part: two key pairs that never leave the card, and a request for each.
enrol() {
  local label number=0
  for label in AUTH SIGN; do
    step "generate $label on the card, and make its request"
    show "$bin/kilt" key generate --label "$label" --id 0$((number += 1)) --bits 2048 --pin-file "$work/pin"
    show "$bin/kilt" csr --key "$label" --subject "CN=Demo Owner,SERIALNUMBER=IIN000000000000,C=KZ" \
      --pin-file "$work/pin" -o "$work/$label.csr"
  done
}

# The certification authority's part, here by OpenSSL.
issue() {
  step "OpenSSL issues the certificates"
  openssl req -new -x509 -newkey rsa:2048 -nodes -keyout "$work/ca.key" -subj "/C=KZ/CN=Demo CA" -days 30 -out "$work/ca.pem" 2> /dev/null
  printf '[AUTH]\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth\n[SIGN]\nkeyUsage=critical,digitalSignature,nonRepudiation\nextendedKeyUsage=emailProtection\n' > "$work/ca.cnf"
  local label
  for label in AUTH SIGN; do
    show openssl req -in "$work/$label.csr" -verify -noout
    show openssl x509 -req -in "$work/$label.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 30 \
      -extfile "$work/ca.cnf" -extensions "$label" -out "$work/$label.pem"
  done
}

install_certificates() {
  local label
  step "install the certificates; each finds its key by the public key"
  for label in AUTH SIGN; do
    show "$bin/kilt" cert install "$work/$label.pem" --pin-file "$work/pin"
  done
  show "$bin/kilt" info
}

sign() {
  step "OpenSC's pkcs11-tool signs a document with the SIGN key, through the kilt module"
  echo "I owe the bearer one horse." > "$work/document"
  show pkcs11-tool --module "$module" --login --pin "env:KILT_DEMO_PIN" --sign -m SHA256-RSA-PKCS --id 02 \
    -i "$work/document" -o "$work/signature"
  step "OpenSSL verifies it with the certificate"
  openssl x509 -in "$work/SIGN.pem" -pubkey -noout > "$work/SIGN.pub"
  show openssl dgst -sha256 -verify "$work/SIGN.pub" -signature "$work/signature" "$work/document"
}

# OpenSC has a driver for the Rutoken ECP command set, which is Kaztoken's; two lines of opensc.conf name the ATR.
read_by_opensc() {
  case $card in kaztoken*) ;; *) return ;; esac
  step "OpenSC's own driver reads the same card through pcscd"
  printf 'app default {\n card_atr 3b:88:01:4b:41:5a:54:4f:4b:45:4e:82 { driver = "rutoken_ecp"; name = "KAZTOKEN"; }\n card_atr 3b:98:96:00:4b:41:5a:54:4f:4b:45:4e { driver = "rutoken_ecp"; name = "Kaztoken SC"; }\n}\n' > "$work/opensc.conf"
  export OPENSC_CONF=$work/opensc.conf
  show opensc-tool --list-readers --name
  show pkcs15-tool --list-keys --list-certificates
}

# The PIN that the token has when its owner gets it: the maker's, by the guides of the NCA; the ID card's is chosen at
# the service centre.
first_pin() {
  case $card in
    kaztoken*) echo 12345678 ;;
    etoken* | jacarta*) echo 1234567890 ;;
    kzid*) echo 1234 ;;
    *) echo "no PIN is known of the card $card" >&2 && return 1 ;;
  esac
}

inside() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # A person types the PIN, this script reads it from a file.
  KILT_DEMO_PIN=$(first_pin)
  export KILT_DEMO_PIN
  (umask 077 && printf %s "$KILT_DEMO_PIN" > "$work/pin")
  step "the token as its owner gets it"
  show "$bin/kilt" list
  enrol
  issue
  install_certificates
  sign
  read_by_opensc
  printf '\nShown on a simulated %s behind a real pcscd: two key pairs generated on the card, two requests and certificates,\na document signed through kilt-pkcs11.so by pkcs11-tool, and the signature verified by OpenSSL.\n' "$card"
}

if [ "${KILT_DEMO_INSIDE:-}" = "$card" ]; then
  inside
else
  prepare
  KILT_DEMO_INSIDE=$card exec "$bin/kilt-sim" run --card "$card" --via pcscd -- "$0" "$card"
fi
