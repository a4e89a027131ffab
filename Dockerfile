# Two images from one file: `agent`, the sidecar, which is what a build without --target makes; and `commands`, which
# has what the commands need on top. `make image` builds them, docs/image.md says what is in them.
#
# No heredocs: buildah reads them only since 1.33, and Debian 12 has 1.28.

# To pin the base give its digest too: --build-arg BASE=docker.io/library/python:3.13-slim@sha256:... A release does so,
# with the digest that the tag has on that day (.github/workflows/release.yml). Any base on Debian with Python 3.11 or
# newer will do, wherever its interpreter is.
ARG BASE=docker.io/library/python:3.13-slim

# ------------------------------------------------------------------------------- what is installed, by hash
FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_REQUIRE_HASHES=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/agent.txt requirements/build.txt requirements/
RUN python3 -m venv --without-pip /opt/drainer \
 && python3 -m pip --python /opt/drainer/bin/python install -r requirements/agent.txt \
 && python3 -m venv --without-pip /opt/build \
 && python3 -m pip --python /opt/build/bin/python install -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY drainer drainer
# The wheel that is made here has no hash yet; it needs nothing that is not installed.
RUN /opt/build/bin/python -m hatchling build --target wheel --directory /opt/wheel \
 && PIP_REQUIRE_HASHES=0 python3 -m pip --python /opt/drainer/bin/python install --no-deps /opt/wheel/*.whl
COPY image/root.py image/

FROM build AS build-agent
RUN python3 image/root.py /opt/drainer /opt/root

FROM build AS build-commands
COPY requirements/commands.txt requirements/
RUN python3 -m pip --python /opt/drainer/bin/python install -r requirements/commands.txt \
 && python3 image/root.py /opt/drainer /opt/root

# -------------------------------------------------- the images: an interpreter and the agent, and nothing else
FROM scratch AS commands
ARG BASE
ARG REVISION
ARG SOURCE=https://github.com/drainer/drainer
ARG VERSION
LABEL org.opencontainers.image.title="drainer-commands" \
      org.opencontainers.image.description="The commands of drainer with all that they can use." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.documentation="${SOURCE}/blob/main/docs/image.md" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build-commands /opt/root/ /
COPY --from=build-commands /opt/drainer /opt/drainer
ENV LANG=C.UTF-8 \
    PATH=/opt/drainer/bin
USER 65532:65532
ENTRYPOINT ["/opt/drainer/bin/drainer"]

FROM scratch AS agent
ARG BASE
ARG REVISION
ARG SOURCE=https://github.com/drainer/drainer
ARG VERSION
LABEL org.opencontainers.image.title="drainer" \
      org.opencontainers.image.description="Ends long-lived connections well in Kubernetes." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.documentation="${SOURCE}/blob/main/docs/image.md" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}"
# A layer for the interpreter, and one for what it runs.
COPY --from=build-agent /opt/root/ /
COPY --from=build-agent /opt/drainer /opt/drainer
ENV LANG=C.UTF-8 \
    PATH=/opt/drainer/bin
EXPOSE 9808
USER 65532:65532
# The agent is the first process: it has a handler for SIGTERM before it imports anything heavy, and no children to reap.
ENTRYPOINT ["/opt/drainer/bin/drainer"]
CMD ["run"]
