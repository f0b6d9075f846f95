# Shared by scripts/demo and scripts/test: sourced, not run. Debian 12 or newer with python3 and git is enough to begin with.
# Everything here may run again and again; what is there already costs nothing.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$root/.venv/bin/python

progress() { printf '%s\n' "· $*" >&2; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this needs root once: $*  (run it as root, or install sudo)"
    fi
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Install the packages that are missing. A server that comes new with them is neither started nor left enabled: we start our own
# private ones. Services that were here before are left as they are.
need_packages() {
    local missing=() package
    command -v apt-get >/dev/null || fail "not a Debian system: install by hand: $*"
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    progress "installing Debian packages: ${missing[*]} (once)"
    local before policy=/usr/sbin/policy-rc.d made_policy=no log status=0
    before=$(mktemp) log=$(mktemp)
    dpkg-query -W -f='${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p' | sort -u >"$before"
    if [ ! -e $policy ]; then # Debian's way to say "start nothing"
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
        made_policy=yes
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    as_root apt-get -q update >"$log" 2>&1 || progress "apt-get update failed, trying with the lists that are there"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}" >>"$log" 2>&1 || status=$?
    if [ $made_policy = yes ]; then
        as_root rm -f $policy
        trap - EXIT
    fi
    disable_new_services "$before"
    [ $status = 0 ] || { tail -n 25 "$log" >&2; fail "could not install: ${missing[*]}"; }
    rm -f "$before" "$log"
}

# The units of packages that were not installed when the list $1 was made: not enabled, not running.
disable_new_services() {
    local package file unit
    while read -r package; do
        while read -r file; do
            case $file in
                */systemd/system/*@.*) continue ;;
                */systemd/system/*.service | */systemd/system/*.socket) unit=${file##*/} ;;
                *) continue ;;
            esac
            command -v systemctl >/dev/null && as_root systemctl --quiet disable "$unit" >/dev/null 2>&1 || true
        done < <(dpkg -L "$package" 2>/dev/null)
        while read -r file; do
            case $file in
                /etc/init.d/*) as_root update-rc.d "${file##*/}" disable >/dev/null 2>&1 || true ;;
            esac
        done < <(dpkg -L "$package" 2>/dev/null)
    done < <(dpkg-query -W -f='${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p' | sort -u | comm -13 "$1" -)
}

# need_python EXTRAS: .venv with the package, editable, with these extras ("" = none). Again only when pyproject.toml changed.
need_python() {
    local extras=$1 stamp want
    stamp=$root/.venv/.installed-${extras:-plain}
    want=$(cat "$root/pyproject.toml" | sha256sum | cut -d' ' -f1)
    [ -x "$python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return
    if [ ! -x "$python" ]; then
        # Debian's own is what operators run, and optimised: one that a version manager built is often a tenth slower.
        local system=/usr/bin/python3 new='import sys, ensurepip; sys.exit(sys.version_info < (3, 11))'
        "$system" -c "$new" 2>/dev/null || system=python3
        "$system" -c "$new" || fail "Python 3.11 or newer with its module venv is needed"
        progress "making .venv"
        "$system" -m venv "$root/.venv" || fail "python3 -m venv failed"
    fi
    progress "installing Python packages into .venv (a minute or two, once)"
    "$python" -m pip --disable-pip-version-check -qq install -e "$root${extras:+[$extras]}" >&2 ||
        fail "pip could not install the Python packages: is the network there?"
    printf '%s\n' "$want" >"$stamp"
}

# need_npm FOLDER: the npm packages that FOLDER/package-lock.json names, and its build. Again only when one of the two changed.
need_npm() {
    local folder=$root/$1 stamp want
    stamp=$folder/node_modules/.installed
    want=$(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return
    command -v npm >/dev/null || need_packages npm # some builds of nodejs bring their own
    progress "installing the npm packages of $1 (once)"
    # Again once: a registry that answers with an error is mostly back a moment later.
    (cd "$folder" && { npm ci --loglevel error || { sleep 5 && npm ci --loglevel error; }; } && npm run --silent build) >&2 ||
        fail "npm could not install $1: is the network there?"
    printf '%s\n' "$want" >"$stamp"
}
