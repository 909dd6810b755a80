#!/bin/sh
# The demo: raw shards -> filtered documents -> token arrays -> a sampled mix. Each line is a command you can type.
set -eu
cd "$(dirname "$0")/../.."
out=demo-output
rm -rf "$out"
mkdir -p "$out"
say() { printf '\n== %s\n' "$1"; }

say "1. Make inputs: six sources with good and bad documents, labelled texts, a tokenizer"
python docs/demo/make_inputs.py "$out"

say "2. Train a quality model on the labelled texts; generate arithmetic"
dolmino classifier train "$out/labelled.jsonl" --positive prose --dim 32 --buckets 100000 --epochs 5 --output "$out/quality"
dolmino generate arithmetic --tokens 10150 --tokenizer "$out/tokenizer" --seed 42 --output "$out/generated/arithmetic"

say "3. Filter each source with its recipe"
for source in dclm flan stackexchange pes2o wiki math; do
    dolmino filter "docs/demo/filters/$source.yaml" "$out/raw/$source" --output "$out/filtered/$source" --rejects
done

say "4. Retokenize what was kept"
for source in dclm flan stackexchange pes2o wiki; do
    dolmino retokenize "$out/filtered/$source" --tokenizer "$out/tokenizer" --output "$out/tokens/$source"
done
dolmino retokenize "$out/filtered/math" "$out/generated/arithmetic" --tokenizer "$out/tokenizer" --output "$out/tokens/math"

say "5. Plan the mix"
dolmino mix plan docs/demo/mix.yaml --arrays "$out/tokens"

say "6. Sample it"
dolmino sample docs/demo/mix.yaml --arrays "$out/tokens" --output "$out/mix"

say "7. Sample it again, from the lock: the same bytes"
dolmino sample "$out/mix/demo-50b.lock.json" --arrays "$out/tokens" --output "$out/mix-again"
cmp "$out/mix/part-00000.npy" "$out/mix-again/part-00000.npy" && echo "identical: $out/mix/part-00000.npy $out/mix-again/part-00000.npy"
dolmino mix verify "$out/mix" --full

say "8. Which document is token 12,345 of the mix, and where did it come from?"
dolmino trace "$out/mix" --token 12345 --tokenizer "$out/tokenizer" --documents "$out/filtered"

say "9. One page that shows all of it"
dolmino report "$out/filtered" "$out/generated" "$out/mix" --output "$out/report.html"

say "Where everything is"
cat <<END
$out/raw/         the generated shards
$out/quality/     the quality model, and how it did on texts that it had not seen
$out/generated/   arithmetic, every equation true
$out/filtered/    documents kept and rejected, attributes (every score, why each document went), ledger
$out/tokens/      token arrays, one folder per source
$out/mix/         the mix: part-*.npy (tokens), part-*.csv.gz (provenance), demo-50b.lock.json
$out/report.html  waterfalls, score histograms with their bounds and the documents at them, the mix: open it in a browser
docs/demo/        the recipes, the mix manifest and this script
END
