#!/bin/bash
# files.sha256: the SHA-256 of the file that the payload names, as {"path": "bash/copyright"}.
#
# It reads only regular files below ALLOWED_ROOT. The creator of a job must not be able to read other files
# through this program, neither by ".." nor by a symbolic link.
set -euo pipefail

# 65 (EX_DATAERR): the job fails permanently, because a retry would fail in the same way.
refuse() {
    printf '%s\n' "$1" >&2
    exit 65
}

IFS= read -r payload || [ -n "$payload" ] || refuse 'the payload is missing'
case $payload in
'{"path":"'*'"}') name=${payload#'{"path":"'} ;;
'{"path": "'*'"}') name=${payload#'{"path": "'} ;;
*) refuse 'the payload must be {"path": "a file below the allowed root"}' ;;
esac
name=${name%'"}'}
# A shell cannot parse JSON, so everything ambiguous is rejected. A further member would contain a quotation mark.
case $name in *[\"\\]*) refuse 'a path with quotation marks or backslashes is not supported' ;; esac

root=$(realpath -e -- "$ALLOWED_ROOT")
file=$(realpath -m -- "$root/$name")
case $file in "$root"/*) ;; *) refuse "$name is not below $root" ;; esac
[ -f "$file" ] || refuse "$name does not exist, or is not a regular file"
exec 4<"$file"
# The path may have changed since the check: compare it with the opened file.
[ "$(readlink "/proc/$$/fd/4")" = "$file" ] || refuse "$name was moved during the check"

digest=$(sha256sum <&4)
# The last line of standard output is the result of the job.
printf '{"path":"%s","sha256":"%s"}\n' "$name" "${digest%% *}"
