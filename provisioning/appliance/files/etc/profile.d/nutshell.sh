# shellcheck shell=sh
# Whoever logs in as the user of the platform is known to it and to its cloud: `cps`, `nutshell`, `openstack`.
if [ "$(id -un)" = stack ] && [ -r /var/lib/nutshell/nutshell.toml ]; then
    export NUTSHELL_STATE=/var/lib/nutshell
    eval "$(nutshell --quiet env 2>/dev/null)"
fi
