#!/bin/bash
# The store's tests against a true S3 server: a Ceph object gateway of one node, unpacked from Debian's packages without
# installing anything, in memory, on loopback, stopped when the tests end. No root is needed.
#
#   tests/ledger/s3_gateway.sh [pytest arguments]
#
# LEDGER_S3_ENDPOINT         test against this server instead (keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)
# LEDGER_S3_GATEWAY_FOLDER   where to unpack (default .s3_gateway; the first run downloads about 77 MB)
# PYTHON                     the interpreter that has the test extras (default python)
#
# Where the gateway cannot run, the script says why and succeeds.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
python=${PYTHON:-python}

skip() { echo "skipped: $*"; exit 0; }

run_tests() {
    cd "$project"
    "$python" -m pytest -q tests/ledger/test_stores.py tests/ledger/test_stores_s3.py tests/ledger/test_faults.py \
        -k "s3 or S3" "$@"
}

if [ -n "${LEDGER_S3_ENDPOINT:-}" ]; then
    run_tests "$@"
    exit
fi

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || skip "the packages are for Linux on x86-64"
codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
[ "$codename" = bookworm ] || skip "the list of packages is for Debian bookworm, and this is '${codename:-unknown}'"
for tool in apt-get dpkg; do command -v $tool >/dev/null || skip "$tool is not there"; done

mkdir -p "${LEDGER_S3_GATEWAY_FOLDER:-$project/.s3_gateway}"
folder=$(cd "${LEDGER_S3_GATEWAY_FOLDER:-$project/.s3_gateway}" && pwd)
cd "$folder"

if [ ! -e unpacked ]; then
    rm -rf debs root && mkdir debs root
    (cd debs && xargs -a "$here/s3_gateway_packages.txt" apt-get -qq download >/dev/null) \
        || skip "the packages cannot be downloaded (apt-get update may help)"
    for package in debs/*.deb; do dpkg -x "$package" root; done
    rm -rf debs && touch unpacked
fi

libraries=$folder/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$libraries:$folder/root/lib/x86_64-linux-gnu:$libraries/ceph:$folder/root/usr/lib/ceph
export PATH=$folder/root/usr/bin:$folder/root/usr/sbin:$PATH
export CEPH_CONF=$folder/ceph.conf
ceph_python=$folder/root/usr/lib/python3/dist-packages

free_port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

monitor=$(free_port)
gateway=$(free_port)
cluster=$(cat /proc/sys/kernel/random/uuid)
store=$(cat /proc/sys/kernel/random/uuid)

rm -rf data run log monmap
mkdir -p data/mon data/osd data/rgw run log
cat > ceph.conf <<CONF
[global]
fsid = $cluster
mon host = [v1:127.0.0.1:$monitor/0]
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 2147483648
osd class dir = $libraries/rados-classes
osd class load list = *
osd class default list = *
erasure code dir = $libraries/ceph/erasure-code
plugin dir = $libraries/ceph
run dir = $folder/run
admin socket = $folder/run/\$name.\$pid.asok
log file = $folder/log/\$name.log
pid file = $folder/run/\$name.pid
mon data = $folder/data/mon
osd data = $folder/data/osd
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$gateway
rgw data = $folder/data/rgw
rgw run sync thread = false
CONF

pids=()
stop() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; }
trap stop EXIT

start() {
    local name=$1
    shift
    "$@" -f > "log/$name.out" 2>&1 &
    pids+=($!)
}

# Ask until the answer comes, a minute at most.
until_it_works() {
    local end=$((SECONDS + 60))
    until "$@" > log/wait.out 2>&1; do
        [ $SECONDS -lt $end ] || { cat log/wait.out; skip "the gateway did not start: $*"; }
        sleep 0.5
    done
}

ceph() { PYTHONPATH=$ceph_python /usr/bin/python3 root/usr/bin/ceph --connect-timeout 5 "$@"; }
answers() { (exec 3<> "/dev/tcp/127.0.0.1/$gateway"); }

{
    monmaptool --create --addv a "[v1:127.0.0.1:$monitor/0]" --fsid "$cluster" monmap
    ceph-mon -i a --mkfs --monmap monmap
} > log/setup.out 2>&1
start mon ceph-mon -i a
until_it_works ceph osd new "$store"
ceph-osd -i 0 --mkfs --osd-uuid "$store" > log/osd-mkfs.out 2>&1
ceph osd crush add osd.0 1.0 root=default host=h0 > log/crush.out 2>&1
start osd ceph-osd -i 0
start rgw radosgw -n client.rgw
until_it_works answers
until_it_works radosgw-admin -n client.rgw user create --uid=tester --display-name=tester --access-key=tester --secret-key=not-a-secret
version=$(radosgw --version | cut -d' ' -f1-3)
echo "testing against $version on 127.0.0.1:$gateway"

unset LD_LIBRARY_PATH
export LEDGER_S3_ENDPOINT=http://127.0.0.1:$gateway AWS_ACCESS_KEY_ID=tester AWS_SECRET_ACCESS_KEY=not-a-secret
run_tests "$@"
