#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every test of kilt on a fresh Debian 12: installs what is missing, builds with warnings as errors,
# runs every label and closes with "N passed, N failed, N skipped".
#
#   tests/run.sh            everything: release build, then the sanitizer builds
#   tests/run.sh quick      the fast lane: release build, labels that need no daemon
#   tests/run.sh tidy       clang-tidy over the product
#   tests/run.sh install    only install the packages that building and testing need
#
# A label that ran no test fails the run: a check that never runs checks nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-all}

# shellcheck source=tests/packages.sh
. tests/packages.sh

# build PRESET [target...]: all of it, or only these
build() {
  local preset=$1
  shift
  echo "== build: $preset"
  # -g1: lines in a backtrace, and a third less of compiling.
  cmake --preset "$preset" -DKILT_WERROR=ON -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -g1 -DNDEBUG" \
    -DCMAKE_CXX_FLAGS_DEBUG="-g1" > "build-$preset.log" 2>&1 || {
    cat "build-$preset.log"
    return 1
  }
  rm -f "build-$preset.log"
  cmake --build --preset "$preset" ${1:+--target "$@"} -- --quiet -k 0
}

results=()
failed_labels=()
# run_labels PRESET label...: each label must run at least one test.
run_labels() {
  local preset=$1 label report
  shift
  mkdir -p "build/$preset/reports"
  for label in "$@"; do
    echo "== test: $label ($preset)"
    report=$PWD/build/$preset/reports/$label.xml
    results+=("$report")
    rm -f "$report"
    ctest --test-dir "build/$preset" -L "^$label\$" --no-tests=error -j "$(nproc)" \
      --output-on-failure --output-junit "$report" --progress || failed_labels+=("$label ($preset)")
  done
}

install_packages "${build_packages[@]}" "${test_packages[@]}"
[ "$mode" = install ] && exit 0

quick_labels=(layering unit vectors sim p11)
case $mode in
  quick)
    build release
    run_labels release "${quick_labels[@]}"
    ;;
  all)
    build release
    run_labels release "${quick_labels[@]}" fuzz-smoke pcscd foreign
    build asan
    run_labels asan unit vectors sim p11 fuzz-smoke
    # ThreadSanitizer has something to say only where there are threads: readers and the module.
    build tsan transport_test p11_parts p11_module
    run_labels tsan unit p11
    ;;
  tidy)
    build release
    run_labels release tidy
    ;;
  *)
    echo "usage: tests/run.sh [all|quick|tidy|install]" >&2
    exit 2
    ;;
esac

if [ ${#failed_labels[@]} -gt 0 ]; then
  printf 'failed label: %s\n' "${failed_labels[@]}"
fi
summary=0
/usr/bin/python3 tests/summary.py "${results[@]}" || summary=$?
[ ${#failed_labels[@]} -eq 0 ] && exit "$summary"
exit 1
