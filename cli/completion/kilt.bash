# SPDX-License-Identifier: Apache-2.0
# bash completion for kilt. Commands and options are those that `kilt ... --help` prints, so nothing here can be out
# of date. No card is touched: keys and tokens are not completed.

# Words that the help of "kilt $@" lists: its commands, and its options with a "+" where a value follows.
__kilt_words() {
  "${COMP_WORDS[0]}" "$@" --help 2>/dev/null | sed -nE '
    /^Subcommands:/,/^$/ s/^  ([a-z]+) .*/\1/p
    s/^  (-[a-z],)?(--[a-z-]+)(=| [A-Z]).*/\2+/p
    s/^  (-[a-z],)?(--[a-z-]+)(  .*)?$/\2/p'
}

_kilt() {
  local current=${COMP_WORDS[COMP_CWORD]} before="" word words all
  local -a path=()
  COMPREPLY=()
  all=$(__kilt_words)
  words=$all
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $word == -- ]]; then  # a command of somebody else's
      mapfile -t COMPREPLY < <(compgen -c -f -- "$current")
      return
    fi
    if [[ -z $before ]] && grep -qxF -- "$word" <<<"$words" && [[ $word != -* ]]; then
      path+=("$word")
      words=$(__kilt_words "${path[@]}")
    elif [[ -z $before ]] && { grep -qxF -- "$word+" <<<"$words"$'\n'"$all" || [[ $word == -o ]]; }; then
      before=$word
    else
      before=""
    fi
  done
  case $before in
    --mechanism)
      mapfile -t COMPREPLY < <(compgen -W "pkcs1-sha256 pkcs1-sha384 pkcs1-sha512 pkcs1-sha1
        pss-sha256 pss-sha384 pss-sha512" -- "$current") ;;
    --usage) mapfile -t COMPREPLY < <(compgen -W "sign decrypt unwrap non-repudiation" -- "$current") ;;
    --*-env) mapfile -t COMPREPLY < <(compgen -e -- "$current") ;;
    -o | --output | --signature | --cert | --*-file) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    "")
      if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(tr -d + <<<"$words"$'\n'"$all" | grep -e ^-)" -- "$current")
      else
        mapfile -t COMPREPLY < <(compgen -W "$(grep -v -e ^- <<<"$words")" -- "$current")
        case ${path[*]} in
          sign | verify | "cert install" | "trace record" | "trace show")
            mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        esac
      fi ;;
  esac
}

complete -o filenames -F _kilt kilt
