#!/usr/bin/env bash
# make images: builds the container images of api, worker and reaper, tagged with the product version, with the first of
# docker, podman and buildah that works here, or with ENGINE. REGISTRY=registry.example.com/team is put before their
# names; SWIFT_IMAGE and DEBIAN_IMAGE replace the base images.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

VERSION=$(sed -n 's/.*static let text = "\(.*\)"$/\1/p' Sources/Runtime/Telemetry/ProductVersion.swift)
[[ -n $VERSION ]] || fail "no version in Sources/Runtime/Telemetry/ProductVersion.swift"

# works ENGINE: whether the engine is installed and can build; docker needs its daemon.
works() { has "$1" && "$1" info >/dev/null 2>&1; }

choose_engine() {
    local engine
    if [[ -n ${ENGINE:-} ]]; then
        [[ $ENGINE =~ ^(docker|podman|buildah)$ ]] || fail "ENGINE=$ENGINE: accepted: docker, podman, buildah"
        works "$ENGINE" || fail "$ENGINE is not installed or does not work; $ENGINE info shows why"
        return 0
    fi
    for engine in docker podman buildah; do
        if works "$engine"; then ENGINE=$engine && return 0; fi
    done
    fail "building images needs docker, podman or buildah, and none of them works here" \
        "Install one of them: apt-get install podman, or https://docs.docker.com/engine/install/" \
        "If Docker is installed, its daemon must run and $(id -un) must be allowed to use it: docker info shows why not."
}

# Prints the commit, with -dirty if there are uncommitted changes; unknown outside a git repository.
revision() {
    local commit
    [[ $(git rev-parse --show-toplevel 2>/dev/null) == "$ROOT" ]] || { echo unknown && return 0; }
    commit=$(git rev-parse HEAD)
    [[ -z $(git status --porcelain) ]] || commit+=-dirty
    echo "$commit"
}

choose_engine
# SOURCE_DATE_EPOCH makes builds reproducible (reproducible-builds.org).
created=$(date --utc --date="@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
# Set as labels, not by the build arguments of the Dockerfiles: buildah and podman cache a LABEL regardless of its
# arguments, and would show an older revision.
label=org.opencontainers.image
options=(--label "$label.version=$VERSION" --label "$label.created=$created" --label "$label.revision=$(revision)")
for argument in SWIFT_IMAGE DEBIAN_IMAGE; do
    [[ -z ${!argument:-} ]] || options+=(--build-arg "$argument=${!argument}")
done
# The OCI format has no HEALTHCHECK, so podman and buildah would drop it; buildah caches only with --layers.
[[ $ENGINE == docker ]] || options+=(--format docker --layers)

images=()
for part in api worker reaper; do
    image=${REGISTRY:+${REGISTRY%/}/}jobqueue-$part:$VERSION
    say "$ENGINE builds $image"
    "$ENGINE" build --file "Dockerfile.$part" --tag "$image" "${options[@]}" .
    images+=("$image")
done
say "built: ${images[*]}"
