#!/bin/sh
# Makes a member of a Nutshell installation out of a fresh server: runs once, at its first boot.
set -eu
umask 022
# Set where a server shares its file system with others and has but a directory of its own.
root="${SERVER_ROOT:-}"
kind=agent
url='https://127.0.0.1:5555'
sha256='0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
folder="$root/opt/nutshell/0123456789abcdef"
program="$folder/nutshell"
config="$root/etc/nutshell"
output="$root/var/log/cps$kind.out"

fail() {
    echo "nutshell: $*" >&2
    exit 1
}

mkdir -p "$config" "$root/var/log" || fail "cannot write below ${root:-/}"
(umask 077 && cat > "$config/boot.json") <<'NUTSHELL_BOOT'
{"installation":"home","director_url":"https://127.0.0.1:5555","ca_certificate":"-----BEGIN CERTIFICATE-----\nMII$(x)`y`\n-----END CERTIFICATE-----\n","token":"it's $HOME `secret` \\n\nNUTSHELL_BOOT","node":9,"cloud":"default","application":1,"role":{"kind":"agent","service":3,"service_type":"generic"}}
NUTSHELL_BOOT
cat > "$config/ca.pem" <<'NUTSHELL_CA'
-----BEGIN CERTIFICATE-----
MII$(x)`y`
-----END CERTIFICATE-----
NUTSHELL_CA

fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl --fail --silent --show-error --noproxy '*' --cacert "$config/ca.pem" --output "$2" "$1"
    elif command -v wget >/dev/null 2>&1; then
        wget --quiet --no-proxy --ca-certificate="$config/ca.pem" --output-document="$2" "$1"
    elif command -v python3 >/dev/null 2>&1; then
        python3 -c '
import shutil, ssl, sys, urllib.request
url, target, authority = sys.argv[1:]
https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)
with opener.open(url) as source, open(target, "wb") as copy:
    shutil.copyfileobj(source, copy)
' "$1" "$2" "$config/ca.pem"
    else
        fail "this image has none of curl, wget and python3, and no $program"
    fi
}

if [ ! -x "$program" ]; then
    mkdir -p "$folder" || fail "cannot make $folder"
    fetch "$url/download/nutshell" "$program.new" || fail "cannot fetch $url/download/nutshell"
    echo "$sha256  $program.new" | sha256sum -c - >/dev/null 2>&1 ||
        fail "what $url/download/nutshell gave is not the expected program"
    chmod 755 "$program.new"
    mv "$program.new" "$program"
fi


if [ -z "$root" ] && [ -d /run/systemd/system ]; then
    cat > "/etc/systemd/system/nutshell-$kind.service" <<NUTSHELL_UNIT
[Unit]
Description=Nutshell $kind
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=$program $kind --boot $config/boot.json --root /
Restart=always
RestartSec=1
KillMode=process
StandardOutput=append:$output
StandardError=append:$output

[Install]
WantedBy=multi-user.target
NUTSHELL_UNIT
    systemctl daemon-reload
    systemctl enable --now --no-block "nutshell-$kind.service"
else
    {
        echo '#!/bin/sh'
        echo '# Starts this member of a Nutshell installation, at every boot.'
        echo 'root="${SERVER_ROOT:-}"'
        echo 'while :; do'
        echo '    "$root/opt/nutshell/0123456789abcdef/nutshell" agent \'
        echo '        --boot "$root/etc/nutshell/boot.json" --root "$root/"'
        echo '    sleep 1'
        echo 'done </dev/null >>"$root/var/log/cpsagent.out" 2>&1 &'
    } > "$root/etc/rc.local"
    chmod 755 "$root/etc/rc.local"
    "$root/etc/rc.local"
fi
echo "nutshell: the $kind is starting, its output is in $output"
