#!/usr/bin/env bash
# make images: builds the container images of api, worker and reaper, tagged with the version of the product, by docker,
# podman or buildah: the first of them that works here, or the one that ENGINE names. REGISTRY=registry.example.com/team
# stands before their names; SWIFT_IMAGE and DEBIAN_IMAGE replace the images that they are built from.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

VERSION=$(sed -n 's/.*static let text = "\(.*\)"$/\1/p' Sources/Runtime/Telemetry/ProductVersion.swift)
[[ -n $VERSION ]] || fail "no version in Sources/Runtime/Telemetry/ProductVersion.swift"

# Whether the program is there and can build: that of Docker needs its daemon.
works() { has "$1" && "$1" info >/dev/null 2>&1; }

choose_engine() {
    local engine
    if [[ -n ${ENGINE:-} ]]; then
        [[ $ENGINE =~ ^(docker|podman|buildah)$ ]] || fail "ENGINE=$ENGINE: accepted are docker, podman and buildah."
        works "$ENGINE" || fail "$ENGINE is not installed, or does not work: $ENGINE info says why."
        return 0
    fi
    for engine in docker podman buildah; do
        if works "$engine"; then ENGINE=$engine && return 0; fi
    done
    fail "images are built by docker, podman or buildah, and none of them works here." \
        "Install one of them: apt-get install podman, or https://docs.docker.com/engine/install/" \
        "If Docker is installed, its daemon has to run, and $(id -un) needs the right to use it: docker info says why not."
}

# The commit, marked when what is built is not what was committed; unknown in a tree that git does not know.
revision() {
    local commit
    [[ $(git rev-parse --show-toplevel 2>/dev/null) == "$ROOT" ]] || { echo unknown && return 0; }
    commit=$(git rev-parse HEAD)
    [[ -z $(git status --porcelain) ]] || commit+=-dirty
    echo "$commit"
}

choose_engine
# For whoever wants the same image twice (reproducible-builds.org).
created=$(date --utc --date="@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
# As labels, and not by the build arguments that the Dockerfiles have for them: buildah and podman take a LABEL from their
# cache whatever its arguments are, and would show an older revision.
label=org.opencontainers.image
options=(--label "$label.version=$VERSION" --label "$label.created=$created" --label "$label.revision=$(revision)")
for argument in SWIFT_IMAGE DEBIAN_IMAGE; do
    [[ -z ${!argument:-} ]] || options+=(--build-arg "$argument=${!argument}")
done
# The format of OCI has no place for a HEALTHCHECK, and these two would drop it; buildah caches only when asked to.
[[ $ENGINE == docker ]] || options+=(--format docker --layers)

images=()
for part in api worker reaper; do
    image=${REGISTRY:+${REGISTRY%/}/}jobqueue-$part:$VERSION
    say "$ENGINE builds $image"
    "$ENGINE" build --file "Dockerfile.$part" --tag "$image" "${options[@]}" .
    images+=("$image")
done
say "built: ${images[*]}"
