#!/bin/sh
# A server's whole life through the openstack command, and what of it can be seen from outside the API.
set -eu

here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cat > "$here/page.sh" <<'PAGE'
#!/bin/sh
cd /root
echo "greetings from $(hostname)" > index.html
exec python3 -m http.server 8080
PAGE
fails() { if "$@" 2> "$here/refusal"; then echo "this should have failed: $*" >&2; exit 1; fi; }
page() { curl --silent --fail --retry 50 --retry-connrefused --retry-delay 0 --max-time 30 "http://$1:8080/"; }

ssh-keygen -q -t ed25519 -N '' -f "$here/key"
openstack keypair create --public-key "$here/key.pub" key > /dev/null
openstack security group rule create --proto tcp --dst-port 8080 default > /dev/null
openstack server create --image host --flavor m1.tiny --network private --key-name key \
    --user-data "$here/page.sh" --wait vm > /dev/null
address=$(openstack floating ip create public -f value -c floating_ip_address)
openstack server add floating ip vm "$address"
[ "$(page "$address")" = "greetings from vm" ]
openstack console log show vm | grep -q 'server: booting vm'

openstack volume create --size 1 kept > /dev/null
openstack server add volume vm kept > /dev/null
[ "$(openstack volume show kept -f value -c status)" = in-use ]
fails openstack volume delete kept
grep -q 'Volume status must be available' "$here/refusal"
openstack server remove volume vm kept
openstack volume snapshot create --volume kept copy > /dev/null

openstack server stop vm
fails curl --silent --max-time 5 "http://$address:8080/"
openstack server start vm
openstack server delete --wait vm
fails curl --silent --max-time 5 "http://$address:8080/"
openstack floating ip delete "$address"
openstack volume snapshot delete copy
openstack volume delete kept
[ -z "$(openstack server list -f value)$(openstack volume list -f value)$(openstack floating ip list -f value)" ]
echo done
