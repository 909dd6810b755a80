#!/bin/sh
# Make the environments of the peers under bench-output/peers, each with pinned versions. Needs .venv (make test).
# spacy is what datatrove's decontamination cuts words with. uv installs them, because pip's resolver does not finish on dolma.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
peers=bench-output/peers
uv=.venv/bin/uv
[ -x "$uv" ] || "$python" -m pip --disable-pip-version-check install -q uv==0.13.8

# make NAME PACKAGE...
make_peer() {
    name=$1
    shift
    [ -e "$peers/$name/.made" ] && return
    "$uv" venv -q --clear -p "$python" "$peers/$name"
    "$uv" pip install -q -p "$peers/$name" "$@"
    touch "$peers/$name/.made"
}

# Without smart_open[zst], dolma 1.2.1 reads nothing from .zst and still exits 0.
make_peer dolma dolma==1.2.1 'smart-open[zst]==9.0.2' zstandard==0.25.0
make_peer datatrove 'datatrove[io,processing]==0.10.1' tokenizers==0.23.3 zstandard==0.25.0 orjson==3.13.0 spacy==3.8.18
make_peer gigatoken gigatoken==0.10.0 orjson==3.13.0 zstandard==0.25.0 numpy==2.4.6
# Only one function of OLMo-core is run, and it needs numpy: no torch.
make_peer olmo-core numpy==2.4.6
"$uv" pip install -q -p "$peers/olmo-core" --no-deps ai2-olmo-core==3.0.0
