#!/usr/bin/env bash
# The main story by hand: up, an application that answers, down, up again, destroy.
# Usage: story.sh path/to/nutshell
set -euo pipefail

nutshell=$1
work=$(mktemp -d)
export NUTSHELL_STATE=$work/state
trap '"$nutshell" destroy --yes >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
cps() { "$nutshell" cps "$@"; }

cd "$work"
"$nutshell" up --detach
printf '#!/bin/bash\necho "hello from $MY_IP" > index.html\n' > init.sh
printf '#!/bin/bash\nexec /usr/bin/python3 -m http.server 8000\n' > run.sh
tar -czf app.tar.gz init.sh run.sh

cps login
cps service create generic
cps service start 1
version=$(cps generic upload-code 1 app.tar.gz | awk '{print $3}')
cps generic enable-code 1 "$version"
cps generic add-nodes 1 1
cps generic run 1
answer() { curl --silent --fail --retry 50 --retry-connrefused --retry-delay 0 --retry-max-time 20 "http://$1:8000/"; }
addresses=$(cps generic list-nodes 1 | awk '{print $NF}')
for address in $addresses; do
    [ "$(answer "$address")" = "hello from $address" ]
done
[ "$(cps shell 1 2 -- sh -c 'id -un; pwd' | tr '\n' ' ')" = "root /root " ]
printf '<?php echo "hello from php";\n' > index.php
tar -czf php.tar.gz index.php
cps service create php
cps service start 2
version=$(cps php upload-code 2 php.tar.gz | awk '{print $3}')
cps php enable-code 2 "$version"
page() { curl --silent --fail "$(cps php get-php-config 2 | sed -n 's/^url: //p')"; }
[ "$(page)" = "hello from php" ]
"$nutshell" down
"$nutshell" up --detach
for address in $addresses; do
    [ "$(answer "$address")" = "hello from $address" ]
done
[ "$(page)" = "hello from php" ]
cps generic interrupt 1
cps service stop 2
cps service stop 1
cps service delete 1
"$nutshell" destroy --yes
echo "the story holds for $(id -un)"
