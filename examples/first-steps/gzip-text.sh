#!/bin/bash
# text.gzip: compresses the JSON text of the payload. The result is {"bytes", "gzip_bytes", "gzip_base64"}.
set -euo pipefail

payload=$(cat)
# Standard output is free for messages, because the result goes to descriptor 3.
echo "compressing the payload of $JOBQUEUE_JOB_ID, attempt $JOBQUEUE_ATTEMPT"

gzip_base64=$(printf '%s' "$payload" | gzip --no-name | base64 --wrap=0)
printf '{"bytes":%d,"gzip_bytes":%d,"gzip_base64":"%s"}\n' \
    "$(printf '%s' "$payload" | wc -c)" "$(printf '%s' "$gzip_base64" | base64 --decode | wc -c)" "$gzip_base64" >&3
