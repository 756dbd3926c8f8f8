#!/bin/sh
# Puts the Autobahn test suite (which needs Python 2.7) into a directory of its
# own: nothing is installed on the system. About 75 MB, half a minute.
#
#   setup.sh DIR        afterwards DIR/wstest is the program
#
# Needs apt (any Debian whose mirror still has bullseye), python3 with pip, gcc.
set -eu

dir=$(mkdir -p "$1" && cd "$1" && pwd)
[ -x "$dir/wstest" ] && exit 0

root=$dir/root
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/debs" "$root"

# The mirror is whichever this machine's own apt uses.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep -v security | sort -u | head -n 1)
[ -n "$mirror" ] || { echo "setup.sh: apt has no Debian mirror configured" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror bullseye main" > "$dir/apt/sources.list"
cat > "$dir/apt/apt.conf" <<END
Dir::Etc::sourcelist "$dir/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$dir/apt";
Dir::Cache "$dir/apt/cache";
Dir::State::status "/var/lib/dpkg/status";
END
export APT_CONFIG="$dir/apt/apt.conf"
apt-get -q update
(
    cd "$dir/debs"
    apt-get -q download python2.7 python2.7-minimal libpython2.7 libpython2.7-stdlib \
        libpython2.7-minimal libpython2.7-dev libffi7 libssl1.1
    for deb in *.deb; do dpkg -x "$deb" "$root"; done
)

# The last pip that runs on Python 2.7, from its wheel.
(
    cd "$dir"
    python3 -m pip download -q --no-deps pip==20.3.4
    python3 -m zipfile -e pip-20.3.4-*.whl pip
)
multiarch=$(gcc -print-multiarch)
cat > "$dir/python" <<END
#!/bin/sh
export LD_LIBRARY_PATH='$root/usr/lib/$multiarch' PYTHONHOME='$root/usr' PYTHONPATH='$dir/site:$dir/pip'
exec '$root/usr/bin/python2.7' "\$@"
END
chmod +x "$dir/python"
export CC=gcc CFLAGS="-I$root/usr/include -I$root/usr/include/python2.7"
"$dir/python" -m pip install -q --target "$dir/site" setuptools==44.0.0 wheel==0.37.1
"$dir/python" -m pip install -q --target "$dir/site" --no-build-isolation \
    autobahntestsuite==25.10.1 wsaccel==0.6.2 ujson==1.35 cython==0.29.37
touch "$dir/site/zope/__init__.py" # --target loses the namespace package

cat > "$dir/wstest.new" <<END
#!/bin/sh
exec '$dir/python' -W ignore -c 'import sys; sys.argv[0] = "wstest"; from autobahntestsuite.wstest import run; run()' "\$@"
END
chmod +x "$dir/wstest.new"
mv "$dir/wstest.new" "$dir/wstest"
