#!/usr/bin/env bash
# embed.sh DOCUMENT SOURCE: writes a Swift source that contains the document, byte for byte, as a raw string literal.
# 100 KB of it compile in a fraction of a second; the array literal that `.embedInCode` makes of 60 KB took 18 s.
set -euo pipefail

# In JSON no three quotes follow one another, so the document cannot end the literal.
{
    printf '%s\n' 'extension OpenAPIDocument {' '    static let text = ###"""'
    cat "$1"
    printf '\n%s\n' '"""###' '}'
} >"$2"
