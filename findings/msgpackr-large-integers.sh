#!/usr/bin/env bash
# msgpackr 2.1.4 (npm): whole numbers from 2^32 on are packed as float64 (0xcb) although they are safe integers, and `undefined` as
# an extension of type 0, which few other libraries know. A reader that takes integers for amounts refuses 4294967296, and one
# that knows no extension refuses every absent field.
# Who reads what JavaScript packs has to take exact floats for whole numbers, and this extension for null.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-package-lock msgpackr@2.1.4 >/dev/null
cat >pack.cjs <<'JS'
const { pack } = require('msgpackr');
for (const value of [4294967295, 4294967296, Number.MAX_SAFE_INTEGER, undefined]) {
  console.log(String(value), pack(value).toString('hex'));
}
JS
node pack.cjs | tee seen
diff seen - <<'SEEN'
4294967295 ceffffffff
4294967296 cb41f0000000000000
9007199254740991 cb433fffffffffffff
undefined d40000
SEEN
echo "as found: large whole numbers are floats, undefined is an extension"
