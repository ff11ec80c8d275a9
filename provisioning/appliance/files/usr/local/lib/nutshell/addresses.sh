# shellcheck shell=sh
# What the commands on addresses share.

configuration=${NUTSHELL_CONFIGURATION:-/var/lib/nutshell/nutshell.toml}

# The pool of floating addresses, FIRST-LAST.
pool() {
    sed -n 's/^floating_range *= *"\([0-9.]*-[0-9.]*\)".*/\1/p' "$configuration" | tail -n 1
}

# An address as a number that can be compared; fails for what is no address.
number() {
    echo "$1" | grep -Exq '((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.|$)){4}' || return 1
    echo "$1" | { IFS=. read -r a b c d && echo $(((a << 24) + (b << 16) + (c << 8) + d)); }
}

# The number as an address again.
address() {
    echo "$(($1 >> 24 & 255)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))"
}

# This machine's own addresses, with the lengths of their networks; of one interface when it is named.
own_addresses() {
    ip -4 -o address show ${1:+dev "$1"} scope global 2>/dev/null | sed -n 's,.* inet \([0-9./]*\) .*,\1,p'
}

# Says what is wrong and what to do, and ends.
fail() {
    echo "error: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}
